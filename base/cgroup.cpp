#include "base/cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <libcgroup.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"
#include "base/strings.h"

namespace base {

namespace {

constexpr char kOwnerAttribute[] = "trusted.mesos-agent.owner";

std::unexpected<Error> fail_group(std::string_view call, const std::string& directory,
                                  const std::string& path, const char* file = nullptr) {
  Error error = Error::from_errno(
      concat(call, " '", directory, "/", path, file ? "/" : "", file ? file : "", "'"));
  if (error.code == ENOENT || error.code == ENODEV) error.kind = ErrorKind::kNotFound;
  if (error.code == EEXIST) error.kind = ErrorKind::kAlreadyExists;
  return fail(std::move(error));
}

// How the kernel hands out a control file: a record in one read, however long, if the buffer has
// room; of a list as many lines as it likes.
enum class Form : uint8_t { kRecord, kList };

// The names are for messages.
Result<std::string> read_control_file(int fd, Form form, const std::string& directory,
                                      const std::string& path, const char* file = nullptr) {
  std::string content;
  char buffer[4096];
  while (true) {
    const ssize_t n = ::read(fd, buffer, sizeof(buffer));
    if (n < 0) return fail_group("read", directory, path, file);
    content.append(buffer, static_cast<size_t>(n));
    if (n == 0 || (form == Form::kRecord && static_cast<size_t>(n) < sizeof(buffer))) break;
  }
  while (content.ends_with('\n')) content.pop_back();
  return content;
}

Result<uint64_t> to_number(const std::string& text, const std::string& path, const char* file) {
  const auto number = parse_number<uint64_t>(text);
  if (!number) return fail(concat("'", text, "' in ", path, "/", file, " is not a number"));
  return *number;
}

Result<std::string> find_mount_point(const std::string& controller) {
  static const int initialized = cgroup_init();
  if (initialized != 0) {
    return fail(concat("Failed to find the cgroup hierarchies: ", cgroup_strerror(initialized)));
  }
  char* found = nullptr;
  const int code = cgroup_get_subsys_mount_point(controller.c_str(), &found);
  if (code != 0) {
    return fail(concat("The cgroup controller '", controller,
                       "' is not mounted (v1): ", cgroup_strerror(code)));
  }
  std::string mount_point = found;
  std::free(found);
  return mount_point;
}

}  // namespace

Result<CgroupHierarchy> CgroupHierarchy::open(const std::string& controller,
                                              const std::string& root) {
  TRY(std::string mount_point, find_mount_point(controller));
  std::string directory = join_path(mount_point, root);
  TRY_VOID(make_directories(directory));
  return at(controller, std::move(directory));
}

Result<CgroupHierarchy> CgroupHierarchy::at(std::string controller, std::string directory) {
  Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(concat("open '", directory, "'"));
  return CgroupHierarchy(std::move(controller), std::move(directory), std::move(fd));
}

Status CgroupHierarchy::create(const std::string& path) const {
  if (mkdirat(fd_.get(), path.c_str(), 0755) == 0) return {};
  if (errno != ENOENT) return fail_group("mkdir", directory_, path);
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    if (mkdirat(fd_.get(), path.substr(0, slash).c_str(), 0755) < 0 && errno != EEXIST) {
      return fail_group("mkdir", directory_, path.substr(0, slash));
    }
  }
  if (mkdirat(fd_.get(), path.c_str(), 0755) < 0) return fail_group("mkdir", directory_, path);
  return {};
}

Status CgroupHierarchy::set_owner(const std::string& path, const std::string& owner) const {
  const std::string directory = join_path(directory_, path);
  if (setxattr(directory.c_str(), kOwnerAttribute, owner.data(), owner.size(), 0) == 0) return {};
  return fail_group("setxattr", directory_, path);
}

Result<std::string> CgroupHierarchy::owner(const std::string& path) const {
  const std::string directory = join_path(directory_, path);
  char buffer[4096];
  const ssize_t size = getxattr(directory.c_str(), kOwnerAttribute, buffer, sizeof(buffer));
  if (size >= 0) return std::string(buffer, static_cast<size_t>(size));
  if (errno == ENODATA) return fail(ErrorKind::kNotFound, concat("'", directory, "' has no owner"));
  return fail_group("getxattr", directory_, path);
}

Status CgroupHierarchy::remove(const std::string& path) const {
  if (unlinkat(fd_.get(), path.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
  // EBUSY is processes or groups inside; if it is groups, they go first.
  TRY(auto names, children(path));
  for (const auto& name : names) TRY_VOID(remove(join_path(path, name)));
  if (unlinkat(fd_.get(), path.c_str(), AT_REMOVEDIR) < 0 && errno != ENOENT) {
    return fail_group("rmdir", directory_, path);
  }
  return {};
}

void CgroupHierarchy::remove_root() const { rmdir(directory_.c_str()); }

bool CgroupHierarchy::exists(const std::string& path) const {
  return faccessat(fd_.get(), path.c_str(), F_OK, 0) == 0;
}

Result<std::vector<std::string>> CgroupHierarchy::children(const std::string& path) const {
  const std::string directory = path.empty() ? directory_ : join_path(directory_, path);
  DIR* dir = opendir(directory.c_str());
  if (dir == nullptr) return fail_group("opendir", directory_, path);
  std::vector<std::string> names;
  while (dirent* entry = readdir(dir)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  closedir(dir);
  return names;
}

Result<Fd> CgroupHierarchy::open_file(const std::string& path, const char* file, int flags) const {
  Fd fd(openat(fd_.get(), concat(path, "/", file).c_str(), flags | O_CLOEXEC));
  if (!fd) return fail_group("open", directory_, path, file);
  return fd;
}

Status CgroupHierarchy::write(const std::string& path, const char* file,
                              std::string_view value) const {
  TRY(Fd fd, open_file(path, file, O_WRONLY));
  if (::write(fd.get(), value.data(), value.size()) < 0) {
    return fail_group(concat("write '", value, "' to"), directory_, path, file);
  }
  return {};
}

Result<CgroupDirectory> CgroupHierarchy::open_group(const std::string& path) const {
  Fd fd(openat(fd_.get(), path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_group("open", directory_, path);
  return CgroupDirectory(std::move(fd), join_path(directory_, path));
}

Result<std::string> CgroupHierarchy::read(const std::string& path, const char* file) const {
  TRY(Fd fd, open_file(path, file, O_RDONLY));
  return read_control_file(fd.get(), Form::kRecord, directory_, path, file);
}

Result<uint64_t> CgroupHierarchy::read_number(const std::string& path, const char* file) const {
  TRY(const std::string text, read(path, file));
  return to_number(text, path, file);
}

Result<Fd> CgroupDirectory::open(const char* file) const {
  Fd fd(openat(fd_.get(), file, O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_group("open", path_, file);
  return fd;
}

Result<std::string> CgroupDirectory::read(const char* file) const {
  TRY(const Fd fd, open(file));
  return read_control_file(fd.get(), Form::kRecord, path_, file);
}

Result<std::string> CgroupDirectory::read_list(const char* file) const {
  TRY(const Fd fd, open(file));
  return read_control_file(fd.get(), Form::kList, path_, file);
}

Result<uint64_t> CgroupDirectory::read_number(const char* file) const {
  TRY(const std::string text, read(file));
  return to_number(text, path_, file);
}

Result<std::vector<pid_t>> CgroupHierarchy::processes(const std::string& path) const {
  constexpr char kFile[] = "cgroup.procs";
  TRY(const Fd fd, open_file(path, kFile, O_RDONLY));
  TRY(const std::string text, read_control_file(fd.get(), Form::kList, directory_, path, kFile));
  std::vector<pid_t> pids;
  for (std::string_view line : split(text, '\n')) {
    if (auto pid = parse_number<pid_t>(line)) pids.push_back(*pid);
  }
  return pids;
}

Status CgroupHierarchy::attach(const std::string& path, pid_t pid) const {
  return write(path, "cgroup.procs", concat(pid));
}

// Not cgroup.procs: with that the kernel locks out forks even for the writer itself.
Result<Fd> CgroupHierarchy::open_entrance(const std::string& path) const {
  return open_file(path, "tasks", O_WRONLY);
}

}  // namespace base
