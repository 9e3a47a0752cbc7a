#include "isolators/volume_place.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/strings.h"

namespace isolators {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Fd;
using base::Result;

namespace {

constexpr mode_t kMode = 0755;

Result<Place> walk(int sandbox, const std::string& path,
                   Result<Fd> (*step)(int parent, const std::string& name)) {
  TRY(const std::string normal, normalize_container_path(path));
  Place place;
  int at = sandbox;
  std::vector<std::string_view> names = base::split(normal, '/');
  place.name = names.back();
  names.pop_back();
  for (const std::string_view name : names) {
    TRY(Fd next, step(at, std::string(name)));
    place.directory = std::move(next);
    at = place.directory.get();
  }
  if (!place.directory) {
    // Of its own, so that it lives as long as the place.
    TRY(place.directory, open_directory(sandbox, "."));
  }
  return place;
}

}  // namespace

Result<std::string> normalize_container_path(std::string_view path) {
  const auto refuse = [&path](std::string_view why) {
    return fail(ErrorKind::kInvalid, concat("the container path '", path, "' ", why));
  };
  if (path.starts_with('/')) return refuse("is absolute: it must be below the sandbox");
  if (path.find('\0') != std::string_view::npos) return refuse("has a NUL in it");
  std::string normal;
  for (const std::string_view name : base::split(path, '/')) {
    if (name.empty() || name == ".") continue;
    if (name == "..") return refuse("has '..' in it");
    if (name.size() > NAME_MAX) return refuse("has a name that is too long");
    if (!normal.empty()) normal += '/';
    normal += name;
  }
  if (normal.empty()) return refuse("names nothing");
  if (normal.size() >= PATH_MAX) return refuse("is too long");
  return normal;
}

Result<Place> make_place(int sandbox, const std::string& path) {
  return walk(sandbox, path, make_directory);
}

Result<Place> find_place(int sandbox, const std::string& path) {
  return walk(sandbox, path, open_directory);
}

bool is_same_file(int a, int b) {
  struct stat first{};
  struct stat second{};
  return fstat(a, &first) == 0 && fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

Result<Fd> open_directory(int parent, const std::string& name) {
  Fd fd(openat(parent, name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd) return fd;
  base::Error error = base::Error::from_errno(concat("open directory '", name, "'"));
  if (error.code == ENOENT || error.code == ENOTDIR || error.code == ELOOP) {
    error.kind = ErrorKind::kNotFound;
  }
  return fail(std::move(error));
}

Result<Fd> make_directory(int parent, const std::string& name) {
  auto found = open_directory(parent, name);
  if (found || found.error().code != ENOENT) return found;
  if (mkdirat(parent, name.c_str(), kMode) < 0 && errno != EEXIST) {
    return base::fail_errno(concat("mkdir '", name, "'"));
  }
  return open_directory(parent, name);
}

}  // namespace isolators
