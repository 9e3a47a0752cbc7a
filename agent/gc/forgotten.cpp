#include "agent/gc/forgotten.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "base/files.h"

namespace agent {

using base::join_path;

namespace {

// Of a file or directory, not of what a link leads to.
std::optional<timespec> change_of(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) < 0) return std::nullopt;
  return info.st_mtim;
}

bool is_before(const timespec& a, const timespec& b) {
  return std::tie(a.tv_sec, a.tv_nsec) < std::tie(b.tv_sec, b.tv_nsec);
}

std::vector<std::string> directories_in(const std::string& path) {
  std::vector<std::string> found;
  const auto names = base::list_directory(path);
  if (!names) return found;
  for (const auto& name : *names) {
    struct stat info{};
    const std::string directory = join_path(path, name);
    if (lstat(directory.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) found.push_back(name);
  }
  return found;
}

// When one of the runs has last written something.
timespec last_written(const std::string& runs) {
  timespec last{};
  for (const auto& run : directories_in(runs)) {
    const std::string sandbox = join_path(runs, run);
    for (const auto& path : {sandbox, join_path(sandbox, "stdout"), join_path(sandbox, "stderr")}) {
      if (const auto change = change_of(path)) last = std::max(last, *change, is_before);
    }
  }
  return last;
}

// Does not make it older than it is.
void set_change(const std::string& directory, const timespec& time) {
  const auto before = change_of(directory);
  if (!before || !is_before(*before, time)) return;
  const timespec times[] = {{.tv_sec = 0, .tv_nsec = UTIME_OMIT}, time};
  // Should it fail, the directory is collected earlier.
  (void)utimensat(AT_FDCWD, directory.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

}  // namespace

std::vector<std::string> find_forgotten_sandboxes(const MetaPaths& paths,
                                                  const KnownExecutors& known) {
  std::vector<std::string> forgotten;
  const std::string frameworks = join_path(paths.work_agent(), "frameworks");
  for (const auto& framework : directories_in(frameworks)) {
    const auto executors = known.find(framework);
    timespec last{};
    for (const auto& executor :
         directories_in(join_path(paths.work_framework(framework), "executors"))) {
      const timespec written = last_written(paths.work_runs(framework, executor));
      last = std::max(last, written, is_before);
      if (executors != known.end() && !executors->second.contains(executor)) {
        forgotten.push_back(paths.work_executor(framework, executor));
        set_change(forgotten.back(), written);
      }
    }
    if (executors == known.end()) {
      forgotten.push_back(paths.work_framework(framework));
      set_change(forgotten.back(), last);
    }
  }
  return forgotten;
}

}  // namespace agent
