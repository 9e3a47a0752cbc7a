// Writing below a directory in which others may have put anything: links are followed as long as
// they stay below, and nothing leads outside. Relative to a descriptor, whatever the path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "base/fd.h"
#include "base/result.h"

namespace fetcher {

// The directory at a plain path (see is_plain_path) below `root`; empty for the root itself. Made,
// with those above it, if missing. The descriptor is an O_PATH one.
base::Result<base::Fd> make_directory_beneath(int root, std::string_view path);

// A file that gets its name only when it is complete, in one step: until then there is nothing
// under the name, or what was there before. Thrown away unless it is kept.
class NewFile {
 public:
  // At a plain path below `root`.
  static base::Result<NewFile> create(int root, std::string_view path);
  NewFile(NewFile&& other) noexcept = default;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  // For reading and writing.
  int fd() const { return fd_.get(); }

  // Gives it its name, replacing what has it (a link itself, not what it leads to). It stays open.
  base::Status keep();

  base::Fd take() && { return std::move(fd_); }

 private:
  NewFile(base::Fd directory, std::string name, base::Fd fd)
      : directory_(std::move(directory)), name_(std::move(name)), fd_(std::move(fd)) {}

  base::Fd directory_;  // empty once kept
  std::string name_;
  base::Fd fd_;
};

// Opens a regular file for reading, and nothing else; `directory` may be AT_FDCWD. Links are
// followed: what they lead to is read with the rights of this process.
base::Result<base::Fd> open_regular(int directory, const std::string& path);

// Copies from where `from` stands to where `to` stands, up to the end.
base::Status copy_content(int from, int to);

// pwrite(2) of everything.
base::Status write_at(int fd, std::string_view data, int64_t offset);

}  // namespace fetcher
