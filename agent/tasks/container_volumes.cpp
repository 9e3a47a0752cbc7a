#include "agent/tasks/container_volumes.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "agent/meta/volumes.h"
#include "base/strings.h"
#include "containerizer/paths.h"
#include "isolators/volume_place.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using containerizer::PersistentVolume;
using mesos::v1::Resource;

namespace {

// What the agent itself makes in a sandbox.
constexpr std::array<std::string_view, 3> kTaken = {"stdout", "stderr",
                                                    containerizer::kChildrenDirectory};

Result<PersistentVolume> volume_of(const std::string& work_dir, const Resource& resource) {
  const auto& disk = resource.disk();
  PersistentVolume volume;
  TRY(*volume.mutable_host_path(), volume_path(work_dir, resource));
  TRY(*volume.mutable_container_path(),
      isolators::normalize_container_path(disk.volume().container_path()));
  const std::string_view first = base::split(volume.container_path(), '/').front();
  if (std::ranges::find(kTaken, first) != kTaken.end()) {
    return fail(ErrorKind::kInvalid, concat("the container path '", volume.container_path(),
                                            "' is where the agent has something of its own"));
  }
  volume.set_read_only(disk.volume().mode() == mesos::v1::Volume::RO);
  volume.set_shared(resource.has_shared());
  return volume;
}

bool is_within(const std::string& inner, const std::string& outer) {
  return inner.starts_with(outer) && (inner.size() == outer.size() || inner[outer.size()] == '/');
}

base::Status add(const PersistentVolume& volume, std::vector<PersistentVolume>* volumes) {
  const std::string& path = volume.container_path();
  for (PersistentVolume& other : *volumes) {
    if (!is_within(path, other.container_path()) && !is_within(other.container_path(), path)) {
      continue;
    }
    if (path == other.container_path() && volume.host_path() == other.host_path()) {
      other.set_read_only(other.read_only() && volume.read_only());
      return {};
    }
    return fail(ErrorKind::kInvalid, concat("the container paths '", other.container_path(),
                                            "' and '", path, "' are in each other's way"));
  }
  volumes->push_back(volume);
  return {};
}

}  // namespace

Result<std::vector<PersistentVolume>> container_volumes(const std::string& work_dir,
                                                        const std::vector<Resource>& resources) {
  std::vector<PersistentVolume> volumes;
  for (const Resource& resource : resources) {
    if (!resource.disk().has_persistence() && !resource.disk().has_volume()) continue;
    auto volume = volume_of(work_dir, resource);
    base::Status added = volume ? add(*volume, &volumes) : fail(volume.error());
    if (!added) {
      return fail(std::move(added).error().with_context(
          concat("Persistent volume '", resource.disk().persistence().id(), "'")));
    }
  }
  return volumes;
}

base::Status check_directories(const std::vector<PersistentVolume>& volumes) {
  for (const PersistentVolume& volume : volumes) {
    struct stat info{};
    if (lstat(volume.host_path().c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
    return fail(ErrorKind::kNotFound, concat("The directory '", volume.host_path(),
                                             "' of a persistent volume is missing"));
  }
  return {};
}

}  // namespace agent
