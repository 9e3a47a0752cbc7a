#include "base/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <memory>

#include "base/strings.h"

namespace base {

namespace {

struct DirCloser {
  void operator()(DIR* dir) const { closedir(dir); }
};
using Dir = std::unique_ptr<DIR, DirCloser>;

std::unexpected<Error> fail_path(std::string_view call, std::string_view path, int code = errno) {
  Error error = Error::from_errno(concat(call, " '", path, "'"), code);
  if (error.code == ENOENT) error.kind = ErrorKind::kNotFound;
  return fail(std::move(error));
}

Status write_fully(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_path("write", path);
    }
    content.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_dot(const char* name) {
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

// The name of the mount that an open file is on; bind mounts of one file system have each their
// own.
Result<uint64_t> mount_of(int fd) {
  struct statx info{};
  if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &info) == 0 && info.stx_mask & STATX_MNT_ID) {
    return info.stx_mnt_id;
  }
  // Linux before 5.8
  TRY(const std::string text, read_file(concat("/proc/self/fdinfo/", fd)));
  for (std::string_view line : split(text, '\n')) {
    constexpr std::string_view kField = "mnt_id:";
    if (!line.starts_with(kField)) continue;
    if (auto id = parse_number<uint64_t>(trim(line.substr(kField.size())))) return *id;
  }
  return fail(concat("no mnt_id in /proc/self/fdinfo/", fd));
}

// Deletes a tree, with open directories only down to a certain depth: a directory that lies deeper
// is first moved up, to the top of the tree. Nothing is reached through a path or through "..",
// which others could lead elsewhere.
class TreeRemover {
 public:
  TreeRemover(uint64_t mount, const std::stop_token& stop) : mount_(mount), stop_(stop) {}

  // Deletes `name` in the directory `parent`.
  Status remove(int parent, const char* name, int depth = 0) {
    if (stop_.stop_requested()) return fail("stopped before it was done");
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return {};
      if (errno != EISDIR) return fail_path("unlink", name);
      if (depth > kMaxDepth) return lift(parent, name);
      Fd fd(openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!fd && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) continue;  // swapped
      if (!fd) return fail_path("open", name);
      TRY(const uint64_t mount, mount_of(fd.get()));
      if (mount != mount_) {
        return fail(ErrorKind::kConflict,
                    concat("'", name, "' is a mount point, so it is not deleted"));
      }
      if (depth == 0) top_ = fd.get();
      const Status emptied = empty(std::move(fd), name, depth);
      if (unlinkat(parent, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return {};
      const int code = errno;
      if (!emptied) return emptied;
      // Else somebody has put something into it, or in its place.
      if (code != ENOTEMPTY && code != EEXIST && code != ENOTDIR) {
        return fail_path("rmdir", name, code);
      }
    }
    return fail(ErrorKind::kConflict, concat("'", name, "' is being written to"));
  }

 private:
  static constexpr int kMaxDepth = 48;
  static constexpr int kAttempts = 8;
  static constexpr int kMaxPasses = 100'000;  // only against somebody who keeps adding to it

  // Deletes what is in a directory. A failure does not keep it from trying the rest.
  Status empty(Fd fd, const char* name, int depth) {
    Dir dir(fdopendir(fd.get()));
    if (!dir) return fail_path("opendir", name);
    const int dir_fd = fd.release();
    Status result;
    const auto note = [&result](Status status) {
      if (result && !status) result = std::move(status);
    };
    for (int pass = 0; pass < kMaxPasses; ++pass) {
      const uint64_t lifted_before = lifted_;
      errno = 0;
      while (dirent* entry = readdir(dir.get())) {
        if (!is_dot(entry->d_name)) note(remove(dir_fd, entry->d_name, depth + 1));
        if (stop_.stop_requested()) return result;
        errno = 0;
      }
      if (errno != 0) note(fail_path("readdir", name));
      if (depth > 0 || lifted_ == lifted_before) break;
      rewinddir(dir.get());  // for what has come from below
    }
    return result;
  }

  // Moves a directory to the top, unless it can be deleted at once.
  Status lift(int parent, const char* name) {
    if (unlinkat(parent, name, AT_REMOVEDIR) == 0) return {};
    while (true) {
      const std::string target = concat("lifted.", lifted_++);
      if (renameat(parent, name, top_, target.c_str()) == 0 || errno == ENOENT) return {};
      // Such a name is taken.
      if (errno != ENOTEMPTY && errno != EEXIST && errno != ENOTDIR) {
        return fail_path("rename", name);
      }
    }
  }

  const uint64_t mount_;
  const std::stop_token& stop_;
  int top_ = -1;
  uint64_t lifted_ = 0;
};

}  // namespace

Result<std::string> read_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_path("open", path);
  std::string content;
  char buffer[16384];
  while (true) {
    ssize_t n = ::read(fd.get(), buffer, sizeof(buffer));
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_path("read", path);
    }
    if (n == 0) return content;
    content.append(buffer, static_cast<size_t>(n));
  }
}

Status write_file(const std::string& path, std::string_view content, mode_t mode) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return fail_path("open", path);
  return write_fully(fd.get(), content, path);
}

Status write_file_atomic(const std::string& path, std::string_view content, Durability durability,
                         mode_t mode) {
  static std::atomic<unsigned> counter = 0;
  std::string temporary;
  Fd fd;
  do {
    // The name may be taken: by what another process with this pid has left in a crash.
    temporary = concat(path, ".", getpid(), ".", counter++, ".tmp");
    fd = Fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  } while (!fd && errno == EEXIST);
  if (!fd) return fail_path("open", temporary);
  Status written = write_fully(fd.get(), content, temporary);
  if (written && durability == Durability::kPowerLoss && fsync(fd.get()) < 0) {
    written = fail_path("fsync", temporary);
  }
  if (written && rename(temporary.c_str(), path.c_str()) < 0) written = fail_path("rename", path);
  if (!written) {
    unlink(temporary.c_str());
    return written;
  }
  if (durability == Durability::kPowerLoss) {
    const std::string parent = parent_of(path);
    Fd directory(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || fsync(directory.get()) < 0) return fail_path("fsync", parent);
  }
  return {};
}

Status make_directories(const std::string& path, mode_t mode) {
  if (mkdir(path.c_str(), mode) == 0) return {};
  if (errno == ENOENT) {
    TRY_VOID(make_directories(parent_of(path), mode));
    if (mkdir(path.c_str(), mode) == 0) return {};
  }
  if (errno == EEXIST) {
    struct stat info{};
    if (stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) return {};
    errno = ENOTDIR;
  }
  return fail_path("mkdir", path);
}

Status remove_tree(const std::string& path, const std::stop_token& stop) {
  std::string whole = path;
  while (whole.ends_with('/')) whole.pop_back();
  const std::string name = whole.substr(whole.rfind('/') + 1);
  if (name.empty() || is_dot(name.c_str())) {
    return fail(ErrorKind::kInvalid, concat("'", path, "' is not something to delete"));
  }
  const std::string parent = parent_of(whole);
  Fd fd(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return errno == ENOENT ? Status() : fail_path("open", parent);
  TRY(const uint64_t mount, mount_of(fd.get()));
  auto removed = TreeRemover(mount, stop).remove(fd.get(), name.c_str());
  if (!removed) {
    return fail(std::move(removed).error().with_context(concat("Failed to delete '", path, "'")));
  }
  return {};
}

Result<std::vector<std::string>> list_directory(const std::string& path) {
  Dir dir(opendir(path.c_str()));
  if (!dir) return fail_path("opendir", path);
  std::vector<std::string> names;
  errno = 0;
  while (dirent* entry = readdir(dir.get())) {
    if (!is_dot(entry->d_name)) names.emplace_back(entry->d_name);
    errno = 0;
  }
  if (errno != 0) return fail_path("readdir", path);
  std::sort(names.begin(), names.end());
  return names;
}

bool path_exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

std::string join_path(std::string_view a, std::string_view b) {
  if (a.empty()) return std::string(b);
  while (a.size() > 1 && a.ends_with('/')) a.remove_suffix(1);
  while (b.starts_with('/')) b.remove_prefix(1);
  std::string joined(a);
  if (!joined.ends_with('/') && !b.empty()) joined += '/';
  joined += b;
  return joined;
}

}  // namespace base
