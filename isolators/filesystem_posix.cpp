#include "isolators/filesystem_posix.h"

#include <limits.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "base/strings.h"
#include "isolators/volume_place.h"

namespace isolators {

using base::Status;
using base::Task;

namespace {

// What the link there says; nothing if there is no link.
std::optional<std::string> read_link(const Place& place) {
  std::array<char, PATH_MAX> target{};
  const ssize_t size =
      readlinkat(place.directory.get(), place.name.c_str(), target.data(), target.size());
  if (size < 0) return std::nullopt;
  return std::string(target.data(), static_cast<size_t>(size));
}

}  // namespace

Task<Status> FilesystemPosixIsolator::prepare(const ContainerId& id, const ContainerConfig& config,
                                              LaunchSpec*) {
  expect_anew(id, config);
  co_return attach_all(id);
}

Status FilesystemPosixIsolator::attach(const Passage& passage) {
  TRY(const Place place, make_place(passage.sandbox, passage.volume.container_path()));
  const std::string& target = passage.volume.host_path();
  if (symlinkat(target.c_str(), place.directory.get(), place.name.c_str()) == 0) return {};
  const int code = errno;
  if (code == EEXIST && read_link(place) == target) return {};
  return base::fail_errno(base::concat("symlink '", place.name, "'"), code);
}

Status FilesystemPosixIsolator::detach(const Passage& passage) {
  const auto place = find_place(passage.sandbox, passage.volume.container_path());
  // Whatever the user has made of it is the user's.
  if (!place || read_link(*place) != passage.volume.host_path()) return {};
  if (unlinkat(place->directory.get(), place->name.c_str(), 0) == 0 || errno == ENOENT) return {};
  return base::fail_errno(base::concat("unlink '", place->name, "'"));
}

}  // namespace isolators
