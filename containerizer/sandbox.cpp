#include "containerizer/sandbox.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <span>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "containerizer/paths.h"

namespace containerizer {

using base::concat;
using base::Fd;
using base::Result;
using base::Status;
using isolators::Credentials;

namespace {

constexpr mode_t kSandboxMode = 0750;
constexpr mode_t kBetweenMode = 0755;
constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

Result<Fd> open_directory(int parent, const std::string& name, const std::string& path) {
  Fd fd(openat(parent, name.c_str(), kOpenDirectory));
  if (fd) return fd;
  base::Error error = base::Error::from_errno(concat("open '", path, "'"));
  if (error.code == ENOENT) error.kind = base::ErrorKind::kNotFound;
  return base::fail(std::move(error));
}

// Mode (whatever the umask) and owner of a directory that was just made.
Status set_up(int fd, const std::string& path, mode_t mode,
              const std::optional<Credentials>& owner) {
  if (fchmod(fd, mode) < 0) return base::fail_errno(concat("chmod '", path, "'"));
  if (owner && fchown(fd, owner->uid, owner->gid) < 0) {
    return base::fail_errno(concat("chown '", path, "'"));
  }
  return {};
}

// The directories below work_dir that lead to a sandbox: fixed names and ids, alternately.
struct Components {
  std::vector<std::string> names;
  size_t first_sandbox;  // those of its ancestors and its own are this, and every second one after

  bool is_sandbox(size_t index) const {
    return index >= first_sandbox && (index - first_sandbox) % 2 == 0;
  }
};

Result<Components> split_path(const std::string& work_dir, const std::string& path) {
  static constexpr std::string_view kExecutor[] = {"slaves", "frameworks", "executors", "runs"};
  static constexpr std::string_view kStandalone[] = {kChildrenDirectory};
  const auto refuse = [&path] {
    return base::fail(base::ErrorKind::kInvalid, concat("'", path, "' is no sandbox"));
  };
  if (!path.starts_with(concat(work_dir, "/"))) return refuse();
  Components found;
  for (const auto name : base::split(std::string_view(path).substr(work_dir.size() + 1), '/')) {
    if (name.empty() || name == "." || name == "..") return refuse();
    found.names.emplace_back(name);
  }
  if (found.names.empty()) return refuse();
  const bool executor = found.names.front() == kExecutor[0];
  const std::span<const std::string_view> fixed =
      executor ? std::span<const std::string_view>(kExecutor) : kStandalone;
  found.first_sandbox = 2 * fixed.size() - 1;
  if (found.names.size() <= found.first_sandbox || found.names.size() % 2 != 0) return refuse();
  for (size_t i = 0; i < found.names.size(); i += 2) {
    if (found.names[i] != (i / 2 < fixed.size() ? fixed[i / 2] : kChildrenDirectory)) {
      return refuse();
    }
  }
  return found;
}

}  // namespace

Result<Credentials> find_user(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  const int code = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (code != 0) return base::fail_errno(concat("getpwnam '", name, "'"), code);
  if (found == nullptr) {
    return base::fail(base::ErrorKind::kInvalid, concat("No such user '", name, "'"));
  }
  Credentials credentials;
  credentials.uid = entry.pw_uid;
  credentials.gid = entry.pw_gid;
  int count = 32;
  credentials.groups.resize(32);
  if (getgrouplist(name.c_str(), entry.pw_gid, credentials.groups.data(), &count) < 0) {
    credentials.groups.resize(static_cast<size_t>(count));
    getgrouplist(name.c_str(), entry.pw_gid, credentials.groups.data(), &count);
  }
  credentials.groups.resize(static_cast<size_t>(count));
  return credentials;
}

std::string Sandbox::path_of(const std::string& work_dir, const ContainerId& id) {
  return base::join_path(work_dir, concat(kChildrenDirectory, "/", id.to_path(kChildrenDirectory)));
}

std::string Sandbox::child_path(const std::string& parent, std::string_view child) {
  return base::join_path(parent, concat(kChildrenDirectory, "/", child));
}

Result<Sandbox> Sandbox::create(const std::string& work_dir, const std::string& wanted,
                                const std::optional<Credentials>& owner) {
  TRY(const Components components, split_path(work_dir, wanted));
  Fd fd(open(work_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::fail_errno(concat("open '", work_dir, "'"));
  std::string path = work_dir;
  bool is_new = false;
  const auto& names = components.names;
  for (size_t i = 0; i < names.size(); ++i) {
    path = base::join_path(path, names[i]);
    const bool is_sandbox = components.is_sandbox(i);
    is_new = mkdirat(fd.get(), names[i].c_str(), 0700) == 0;
    if (!is_new && errno != EEXIST) return base::fail_errno(concat("mkdir '", path, "'"));
    TRY(Fd made, open_directory(fd.get(), names[i], path));
    if (is_new) {
      // What lies between sandboxes stays the agent's: whoever owns it could replace what is in it.
      auto given = set_up(made.get(), path, is_sandbox ? kSandboxMode : kBetweenMode,
                          is_sandbox ? owner : std::nullopt);
      if (!given) {
        unlinkat(fd.get(), names[i].c_str(), AT_REMOVEDIR);
        return base::fail(std::move(given).error());
      }
    }
    fd = std::move(made);
  }
  return Sandbox(std::move(path), std::move(fd), is_new);
}

Result<Fd> Sandbox::open_output(const char* name, const std::optional<Credentials>& owner) const {
  const int flags = O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
  Fd fd(openat(fd_.get(), name, flags, 0644));
  if (!fd) return base::fail_errno(concat("open '", path_, "/", name, "'"));
  // Left by an earlier container of this id, it could be a pipe or a device, or somebody else's
  // file by another name (where the kernel does not protect hard links).
  struct stat info{};
  if (fstat(fd.get(), &info) < 0 || !S_ISREG(info.st_mode)) {
    return base::fail(concat("'", path_, "/", name, "' is not a regular file"));
  }
  if (info.st_nlink > 1) {
    return base::fail(concat("'", path_, "/", name, "' is a hard link to another file"));
  }
  if (ftruncate(fd.get(), 0) < 0) {
    return base::fail_errno(concat("truncate '", path_, "/", name, "'"));
  }
  fcntl(fd.get(), F_SETFL, O_APPEND);
  if (owner && fchown(fd.get(), owner->uid, owner->gid) < 0) {
    return base::fail_errno(concat("chown '", path_, "/", name, "'"));
  }
  return fd;
}

std::string Sandbox::safe_path(std::string_view name) const {
  return concat("/proc/self/fd/", fd_.get(), "/", name);
}

Status Sandbox::remove(const std::string& work_dir, const std::string& path) {
  TRY(Components components, split_path(work_dir, path));
  Fd fd(open(work_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::fail_errno(concat("open '", work_dir, "'"));
  auto& names = components.names;
  const std::string last = names.back();
  names.pop_back();
  for (const auto& name : names) {
    auto next = open_directory(fd.get(), name, name);
    if (!next) {
      if (next.error().kind == base::ErrorKind::kNotFound) return {};
      return base::fail(std::move(next).error());
    }
    fd = *std::move(next);
  }
  // By descriptor, so that nobody can lead the deletion elsewhere by swapping a directory.
  return base::remove_tree(concat("/proc/self/fd/", fd.get(), "/", last));
}

}  // namespace containerizer
