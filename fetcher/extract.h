// Unpacking archives, by libarchive.
#pragma once

#include <string>

#include "base/result.h"

namespace fetcher {

// Unpacks a tar (plain, or packed by gzip, bzip2 or xz) or zip archive, from a descriptor that can
// seek, below the directory `root`. Files, directories and links get there, with their permissions
// less the umask and without setuid and setgid, and their times; they belong to who runs this.
//
// An archive is refused, and what had been unpacked stays, if it has a path that is absolute or
// has "..", if one leads outside by a link (one that stays inside is followed), or if it has
// anything else, such as a device. Symbolic links themselves may point anywhere.
base::Status extract_archive(int fd, int root);

// Unpacks a file packed by gzip to that name below the directory.
base::Status extract_gzip(int fd, int root, const std::string& name);

}  // namespace fetcher
