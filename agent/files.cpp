#include "agent/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "base/beneath.h"
#include "base/files.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Fd;
using base::Result;
using mesos::v1::FileInfo;

namespace {

constexpr uint64_t kPagesPerRead = 16;

// What a virtual path leads to.
struct Found {
  std::optional<base::Root> root;  // the sandbox; none for the log
  Fd fd;                           // O_PATH
  struct stat info{};
};

std::unexpected<base::Error> fail_missing() { return fail(ErrorKind::kNotFound, ""); }

// Whether the path's own ".." lead above where it begins, whatever is there.
bool climbs_out(std::string_view path) {
  int depth = 0;
  for (const std::string_view part : base::split(path, '/')) {
    if (part.empty() || part == ".") continue;
    depth += part == ".." ? -1 : 1;
    if (depth < 0) return true;
  }
  return false;
}

Result<Found> find_log(const std::string& path) {
  Found found;
  found.fd = Fd(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!found.fd && errno == ENOENT) return fail_missing();
  if (!found.fd) return base::fail_errno(concat("open '", path, "'"));
  return found;
}

Result<Found> find_in_sandbox(const VirtualPath& path, const std::string& shown_as) {
  // As Mesos answers for what is not below the attachment any more: it knows no such path.
  if (climbs_out(path.rest)) return fail_missing();
  Found found;
  auto root = base::open_root(path.attachment.real_path);
  if (!root) {
    if (root.error().kind == ErrorKind::kNotFound) return fail_missing();
    return fail(std::move(root).error());
  }
  auto fd = base::open_beneath(*root, path.rest);
  if (!fd) {
    if (fd.error().kind == ErrorKind::kNotFound) return fail_missing();
    if (fd.error().kind == ErrorKind::kConflict) {
      return fail(ErrorKind::kInvalid, concat("'", shown_as, "' is inaccessible.\n"));
    }
    return fail(std::move(fd).error());
  }
  found.root = *std::move(root);
  found.fd = *std::move(fd);
  return found;
}

Result<Found> find(const VirtualPath& path, const std::string& shown_as) {
  TRY(Found found, path.attachment.is_log ? find_log(path.attachment.real_path)
                                          : find_in_sandbox(path, shown_as));
  if (fstat(found.fd.get(), &found.info) < 0) {
    return base::fail_errno(concat("stat '", shown_as, "'"));
  }
  return found;
}

// The names of users and groups, each asked for once.
class Names {
 public:
  const std::string& user(uid_t uid) {
    auto [at, added] = users_.try_emplace(uid);
    if (added) {
      passwd entry{};
      passwd* found = nullptr;
      const bool known = getpwuid_r(uid, &entry, buffer_.data(), buffer_.size(), &found) == 0;
      at->second = known && found != nullptr ? entry.pw_name : concat(uid);
    }
    return at->second;
  }

  const std::string& group(gid_t gid) {
    auto [at, added] = groups_.try_emplace(gid);
    if (added) {
      ::group entry{};
      ::group* found = nullptr;
      const bool known = getgrgid_r(gid, &entry, buffer_.data(), buffer_.size(), &found) == 0;
      at->second = known && found != nullptr ? entry.gr_name : concat(gid);
    }
    return at->second;
  }

 private:
  std::array<char, 16384> buffer_;
  std::map<uid_t, std::string> users_;
  std::map<gid_t, std::string> groups_;
};

FileInfo describe(std::string path, const struct stat& info, Names* names) {
  FileInfo file;
  file.set_path(std::move(path));
  file.set_nlink(static_cast<int32_t>(info.st_nlink));
  file.set_size(static_cast<uint64_t>(info.st_size));
  // Whole seconds, as Mesos tells them.
  file.mutable_mtime()->set_nanoseconds(static_cast<int64_t>(info.st_mtim.tv_sec) * 1'000'000'000);
  file.set_mode(info.st_mode);
  file.set_uid(names->user(info.st_uid));
  file.set_gid(names->group(info.st_gid));
  return file;
}

// Puts what the link leads to in place of the link's own. False if that is nothing.
bool follow_link(const base::Root& root, const std::string& path, struct stat* info) {
  const auto target = base::open_beneath(root, path);
  if (target) return fstat(target->get(), info) == 0;
  return target.error().kind == ErrorKind::kConflict;
}

struct DirCloser {
  void operator()(DIR* dir) const { closedir(dir); }
};

bool is_dot(std::string_view name) { return name == "." || name == ".."; }

Result<OpenedFile> open_regular(const VirtualPath& path, const std::string& shown_as,
                                std::string_view verb) {
  TRY(const Found found, find(path, shown_as));
  if (S_ISDIR(found.info.st_mode)) {
    return fail(ErrorKind::kInvalid, concat("Cannot ", verb, " a directory.\n"));
  }
  // Opening a pipe or a device could wait for ever, or do something.
  if (!S_ISREG(found.info.st_mode)) {
    return fail(ErrorKind::kInvalid,
                concat("Cannot ", verb, " '", shown_as, "': it is not a regular file.\n"));
  }
  TRY(Fd fd, base::reopen_for_reading(found.fd));
  return OpenedFile{std::move(fd), static_cast<uint64_t>(found.info.st_size), {}};
}

}  // namespace

uint64_t max_read_size() { return kPagesPerRead * static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE)); }

Result<std::vector<FileInfo>> list_files(const VirtualPath& path, const std::string& shown_as) {
  TRY(const Found found, find(path, shown_as));
  std::vector<FileInfo> files;
  if (!S_ISDIR(found.info.st_mode) || !found.root) return files;
  auto opened = base::reopen_for_reading(found.fd);
  if (!opened) return files;
  const std::unique_ptr<DIR, DirCloser> directory(fdopendir(opened->get()));
  if (!directory) return base::fail_errno(concat("opendir '", shown_as, "'"));
  const int fd = opened->release();
  Names names;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string name = entry->d_name;
    if (is_dot(name)) continue;
    struct stat info{};
    if (fstatat(fd, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) continue;  // gone meanwhile
    if (S_ISLNK(info.st_mode) &&
        !follow_link(*found.root, base::join_path(path.rest, name), &info)) {
      continue;
    }
    files.push_back(describe(base::join_path(shown_as, name), info, &names));
  }
  std::ranges::sort(files, {}, &FileInfo::path);
  return files;
}

Result<FilePart> read_file(const VirtualPath& path, const std::string& shown_as,
                           std::optional<uint64_t> offset, uint64_t length) {
  TRY(const OpenedFile file, open_regular(path, shown_as, "read"));
  FilePart part;
  part.size = file.size;
  if (!offset || *offset >= file.size) return part;
  part.data.resize(std::min({length, max_read_size(), file.size - *offset}));
  size_t done = 0;
  while (done < part.data.size()) {
    const ssize_t n = pread(file.fd.get(), part.data.data() + done, part.data.size() - done,
                            static_cast<off_t>(*offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno(concat("read '", shown_as, "'"));
    if (n == 0) break;  // cut meanwhile
    done += static_cast<size_t>(n);
  }
  part.data.resize(done);
  return part;
}

Result<OpenedFile> open_file(const VirtualPath& path, const std::string& shown_as,
                             std::string_view verb) {
  TRY(OpenedFile file, open_regular(path, shown_as, verb));
  // Through a link the real file's name counts; the kernel knows it.
  std::array<char, 4096> target{};
  const ssize_t n =
      readlink(concat("/proc/self/fd/", file.fd.get()).c_str(), target.data(), target.size());
  const std::string_view real =
      n > 0 ? std::string_view(target.data(), static_cast<size_t>(n)) : shown_as;
  file.name = real.substr(real.rfind('/') + 1);
  return file;
}

}  // namespace agent
