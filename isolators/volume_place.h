// Where a volume appears in a sandbox. The sandbox belongs to the container's user, who may put
// anything there and exchange it at any time: every name is entered by itself, by a descriptor of
// the directory before it, and no link is followed (CVE-2021-30465 and its kin).
#pragma once

#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace isolators {

// A name in a directory.
struct Place {
  base::Fd directory;  // O_PATH
  std::string name;
};

// The path as the names it consists of, with one slash between them: "./a//b/" is "a/b". kInvalid,
// with what is wrong as the text, for a path that is absolute, empty, or has "..", a NUL or a name
// that is too long for a file.
base::Result<std::string> normalize_container_path(std::string_view path);

// The place of a normalized path below the directory `sandbox`. The directories between are made if
// missing and stay the agent's: giving a directory away that others can exchange is never safe.
base::Result<Place> make_place(int sandbox, const std::string& path);

// The same, of what is there. kNotFound: there is nothing, or a link or a file on the way.
base::Result<Place> find_place(int sandbox, const std::string& path);

// Whether two O_PATH descriptors are of the same file.
bool is_same_file(int a, int b);

// Opens a directory by O_PATH. kNotFound: there is none, but perhaps a link or a file.
base::Result<base::Fd> open_directory(int parent, const std::string& name);

// The same; makes it if there is nothing.
base::Result<base::Fd> make_directory(int parent, const std::string& name);

}  // namespace isolators
