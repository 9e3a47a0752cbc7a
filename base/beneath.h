// Opening files below a directory that others write to, without being led out of it.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace base {

// A directory, and where it is.
struct Root {
  Fd fd;  // O_PATH
  std::string path;
};

// Opens a directory to look below. Links on the way to it are followed: the path must be trusted.
Result<Root> open_root(const std::string& path);

// Opens what `path`, relative to the root, leads to, by O_PATH: neither read nor run, whatever it
// is. Links are followed as long as they stay inside, absolute ones too, and "..", but no path and
// no change that others make meanwhile leads outside. The empty path is the root itself.
//
// kNotFound: there is nothing. kConflict: it leads outside. Blocks.
Result<Fd> open_beneath(const Root& root, const std::string& path);

// Opens for reading what an O_PATH descriptor refers to, a regular file or a directory.
Result<Fd> reopen_for_reading(const Fd& fd);

}  // namespace base
