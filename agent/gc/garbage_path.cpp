#include "agent/gc/garbage_path.h"

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <optional>
#include <span>
#include <string_view>

#include "base/beneath.h"
#include "base/fd.h"
#include "base/files.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Fd;
using base::Result;
using base::Status;

namespace {

constexpr int kOpenDirectory = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
constexpr std::string_view kMeta = "meta";
constexpr std::string_view kRuns = "runs";
constexpr char kLatest[] = "latest";

// Below one directory there are not more mounts than that, unless somebody keeps adding to them.
constexpr int kMostMounts = 10'000;

// Fixed names, each followed by an id. The last may go on for ever, if it `repeats` one.
struct Shape {
  std::span<const std::string_view> fixed;
  std::string_view repeats = {};
};

constexpr std::string_view kSandboxes[] = {"slaves", "frameworks", "executors", kRuns};
constexpr std::string_view kCheckpoints[] = {"slaves", "frameworks", "executors", kRuns, "tasks"};
constexpr std::string_view kContainers[] = {"containers"};

constexpr Shape kSandboxShape{kSandboxes, "containers"};
constexpr Shape kCheckpointShape{kCheckpoints};
constexpr Shape kContainerShape{kContainers, "containers"};

bool is_id(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name != kLatest;
}

bool has_shape(std::span<const std::string> names, const Shape& shape) {
  if (names.empty() || names.size() % 2 != 0) return false;
  for (size_t i = 0; i < names.size(); i += 2) {
    const size_t level = i / 2;
    const std::string_view wanted = level < shape.fixed.size() ? shape.fixed[level] : shape.repeats;
    if (wanted.empty() || names[i] != wanted || !is_id(names[i + 1])) return false;
  }
  return true;
}

// A directory's parent, and its name in there.
struct Place {
  Fd parent;
  std::string name;
  bool is_checkpoint;
  bool is_run;
};

std::unexpected<base::Error> fail_at(std::string_view call, const std::string& path,
                                     int code = errno) {
  base::Error error = base::Error::from_errno(concat(call, " '", path, "'"), code);
  if (code == ENOENT) error.kind = ErrorKind::kNotFound;
  return fail(std::move(error));
}

// By descriptors and without links, so that nobody can lead what follows elsewhere.
Result<Place> find_place(const std::string& work_dir, const std::string& path) {
  TRY(auto names, split_garbage_path(work_dir, path));
  Fd fd(open(work_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_at("open", work_dir);
  for (size_t i = 0; i + 1 < names.size(); ++i) {
    Fd next(openat(fd.get(), names[i].c_str(), kOpenDirectory));
    if (!next) return fail_at("open", concat("... '", names[i], "' of ", path));
    fd = std::move(next);
  }
  return Place{std::move(fd), names.back(), names.front() == kMeta,
               names[names.size() - 2] == kRuns};
}

// --- Mounts ---

// /proc/self/mountinfo writes blanks, backslashes and the like as octal numbers.
std::string unescape_mount(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// Where the latest mount at or below a directory is, relative to it.
Result<std::optional<std::string>> last_mount_below(const std::string& directory) {
  TRY(const std::string mounts, base::read_file("/proc/self/mountinfo"));
  std::optional<std::string> last;
  for (const std::string_view line : base::split(mounts, '\n')) {
    constexpr size_t kMountPoint = 4;
    const auto words = base::split(line, ' ');
    if (words.size() <= kMountPoint) continue;
    const std::string point = unescape_mount(words[kMountPoint]);
    if (!point.starts_with(directory)) continue;
    if (point.size() == directory.size()) {
      last.emplace();
    } else if (point[directory.size()] == '/') {
      last = point.substr(directory.size() + 1);
    }
  }
  return last;
}

// `path` is for messages.
Status unmount_below(const Place& place, const std::string& path) {
  for (int i = 0; i < kMostMounts; ++i) {
    // Anew each time: what it is may have been mounted there.
    const base::Root directory{Fd(openat(place.parent.get(), place.name.c_str(),
                                         O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)),
                               path};
    if (!directory.fd) {
      if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP) return {};
      return fail_at("open", path);
    }
    char real[PATH_MAX];
    const ssize_t size =
        readlink(concat("/proc/self/fd/", directory.fd.get()).c_str(), real, sizeof(real));
    if (size < 0) return fail_at("readlink", path);
    TRY(const auto mount, last_mount_below(std::string(real, static_cast<size_t>(size))));
    if (!mount) return {};
    TRY(const Fd point, base::open_beneath(directory, *mount));
    // It is open by that, so it would be busy for anything but MNT_DETACH.
    if (umount2(concat("/proc/self/fd/", point.get()).c_str(), MNT_DETACH) < 0) {
      return fail_at("umount", base::join_path(path, *mount));
    }
  }
  return fail(ErrorKind::kConflict, concat("'", path, "' is being mounted to"));
}

// --- What the next start must not find of what is half deleted ---

Status remove_name(int directory, const char* name, const std::string& path) {
  if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return {};
  return fail_at("unlink", base::join_path(path, name));
}

// Whether that name beside the directory is a link to it.
bool leads_to(const Place& place, const char* link) {
  char target[PATH_MAX];
  const ssize_t size = readlinkat(place.parent.get(), link, target, sizeof(target));
  if (size < 0) return false;
  const std::string_view text(target, static_cast<size_t>(size));
  return text.substr(text.rfind('/') + 1) == place.name;
}

// A link between sandboxes is made by a worker. So the one that is taken away is looked at once
// more, and put back if it is a later run's.
Status remove_link_of_sandboxes(const Place& place, const std::string& path) {
  const int runs = place.parent.get();
  const std::string aside = concat(".latest.", place.name);
  if (renameat(runs, kLatest, runs, aside.c_str()) < 0) {
    return errno == ENOENT ? Status() : fail_at("rename", concat(path, "/../", kLatest));
  }
  if (!leads_to(place, aside.c_str()) &&
      renameat2(runs, aside.c_str(), runs, kLatest, RENAME_NOREPLACE) == 0) {
    return {};
  }
  return remove_name(runs, aside.c_str(), concat(path, "/.."));
}

Status invalidate(const Place& place, const std::string& path) {
  if (!place.is_checkpoint) return {};
  Fd directory(openat(place.parent.get(), place.name.c_str(), kOpenDirectory));
  if (!directory) return errno == ENOENT ? Status() : fail_at("open", path);
  for (const char* name : {"framework.info", "executor.info", "task.info"}) {
    TRY_VOID(remove_name(directory.get(), name, path));
  }
  return {};
}

}  // namespace

Result<std::vector<std::string>> split_garbage_path(const std::string& work_dir,
                                                    const std::string& path) {
  const auto refuse = [&path] {
    return fail(ErrorKind::kInvalid, concat("'", path, "' is nothing to collect"));
  };
  const std::string prefix = work_dir.ends_with('/') ? work_dir : concat(work_dir, "/");
  if (!prefix.starts_with('/') || !path.starts_with(prefix)) return refuse();
  std::vector<std::string> names;
  for (const auto name : base::split(std::string_view(path).substr(prefix.size()), '/')) {
    names.emplace_back(name);
  }
  if (names.empty()) return refuse();
  const std::span<const std::string> all(names);
  const bool known = all.front() == kMeta
                         ? has_shape(all.subspan(1), kCheckpointShape)
                         : has_shape(all, kSandboxShape) || has_shape(all, kContainerShape);
  if (!known) return refuse();
  return names;
}

Result<std::chrono::system_clock::time_point> last_change(const std::string& work_dir,
                                                          const std::string& path) {
  TRY(const Place place, find_place(work_dir, path));
  struct stat info{};
  if (fstatat(place.parent.get(), place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) < 0) {
    return fail_at("stat", path);
  }
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::seconds(info.st_mtim.tv_sec) +
          std::chrono::nanoseconds(info.st_mtim.tv_nsec)));
}

Status mark_changed(const std::string& work_dir, const std::string& path) {
  TRY(const Place place, find_place(work_dir, path));
  if (utimensat(place.parent.get(), place.name.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) == 0) {
    return {};
  }
  return fail_at("utimensat", path);
}

Status forget_latest(const std::string& work_dir, const std::string& path) {
  const auto place = find_place(work_dir, path);
  if (!place) {
    return place.error().kind == ErrorKind::kNotFound ? Status() : fail(place.error());
  }
  if (!place->is_run || !leads_to(*place, kLatest)) return {};
  if (!place->is_checkpoint) return remove_link_of_sandboxes(*place, path);
  return remove_name(place->parent.get(), kLatest, concat(path, "/.."));
}

Status remove_garbage(const std::string& work_dir, const std::string& path,
                      const std::stop_token& stop) {
  const auto place = find_place(work_dir, path);
  if (!place) {
    return place.error().kind == ErrorKind::kNotFound ? Status() : fail(place.error());
  }
  TRY_VOID(unmount_below(*place, path));
  TRY_VOID(invalidate(*place, path));
  auto removed =
      base::remove_tree(concat("/proc/self/fd/", place->parent.get(), "/", place->name), stop);
  if (!removed) return fail(std::move(removed).error().with_context(path));
  return {};
}

}  // namespace agent
