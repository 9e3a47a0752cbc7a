#include "containerizer/runtime_directory.h"

#include <stdio.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>

#include "base/files.h"
#include "base/strings.h"

namespace containerizer {

using base::concat;

base::Result<std::string> set_aside_runtime_directory(const RuntimePaths& paths,
                                                      const ContainerId& id) {
  static std::atomic<unsigned> counter = 0;
  const std::string directory = paths.directory(id);
  while (true) {
    // The name may be taken, by what an earlier run has left there.
    std::string place = base::join_path(paths.removed(), concat(getpid(), ".", counter++));
    if (rename(directory.c_str(), place.c_str()) == 0) return place;
    if (errno == EEXIST || errno == ENOTEMPTY) continue;
    base::Error error = base::Error::from_errno(concat("rename '", directory, "'"));
    if (error.code == ENOENT) error.kind = base::ErrorKind::kNotFound;
    return base::fail(std::move(error));
  }
}

base::Status remove_runtime_directory(const RuntimePaths& paths, const ContainerId& id) {
  const auto place = set_aside_runtime_directory(paths, id);
  return base::remove_tree(place ? *place : paths.directory(id));
}

}  // namespace containerizer
