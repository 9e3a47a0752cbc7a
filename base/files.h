// Files and directories. Everything here blocks for as long as a local file system takes; what can
// be large (remove_tree) belongs on a worker (base/worker.h).
#pragma once

#include <sys/types.h>

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"

namespace base {

// The whole content. ENOENT is kNotFound.
Result<std::string> read_file(const std::string& path);

// Creates or truncates, writes, closes. A crash can leave a part of it.
Status write_file(const std::string& path, std::string_view content, mode_t mode = 0644);

enum class Durability {
  kProcessCrash,  // what the kernel has accepted survives the death of this process
  kPowerLoss,     // fsync of the file and of its directory
};

// Replaces `path` as a whole: a reader, now or after a crash, sees the old content or the new. The
// mode (less the umask) is the new file's, whatever the old one's was; a symbolic link is replaced,
// not followed. A crash can leave a file beside it whose name is that of `path` and more, ending in
// ".tmp".
Status write_file_atomic(const std::string& path, std::string_view content,
                         Durability durability = Durability::kProcessCrash, mode_t mode = 0644);

// mkdir -p. The mode (less the umask) applies to directories that are made.
Status make_directories(const std::string& path, mode_t mode = 0755);

// Deletes `path` and all below; a path that does not exist is fine. Follows no symbolic link at
// `path` or below and deletes nothing on another mount (a bind mount neither), also when someone
// swaps directories meanwhile. Goes on after a failure, so as much as possible goes; the error is
// the first. Any depth takes a bounded number of descriptors and little stack. kInvalid for "/" and
// for what ends in "." or "..". When `stop` is requested it ends with an error, and leaves the
// rest.
Status remove_tree(const std::string& path, const std::stop_token& stop = {});

// The names in a directory, without "." and "..", sorted. ENOENT is kNotFound.
Result<std::vector<std::string>> list_directory(const std::string& path);

// Whether there is something that can be reached: false for a dangling symbolic link.
bool path_exists(const std::string& path);

// "a" + "b" is "a/b", with exactly one slash between, also if b is "/b". If one is empty it is the
// other.
std::string join_path(std::string_view a, std::string_view b);

}  // namespace base
