// Where things of a container are on disk.
#pragma once

#include <string>

#include "base/files.h"
#include "isolators/container_id.h"

namespace containerizer {

using isolators::ContainerId;

// The directory between a container and its children, in both trees.
inline constexpr std::string_view kChildrenDirectory = "containers";

// <runtime_dir>/containers/<root>[/containers/<child>...]: what the agent knows of the container.
// Lost at a reboot, like the containers.
class RuntimePaths {
 public:
  explicit RuntimePaths(const std::string& runtime_dir)
      : containers_(base::join_path(runtime_dir, kChildrenDirectory)),
        removed_(base::join_path(runtime_dir, "removed")) {}

  const std::string& containers() const { return containers_; }

  // Where directories of containers are moved to be deleted: what a crash leaves half deleted is
  // not to be taken for a container.
  const std::string& removed() const { return removed_; }

  std::string directory(const ContainerId& id) const {
    return base::join_path(containers_, id.to_path(kChildrenDirectory));
  }
  std::string file(const ContainerId& id, std::string_view name) const {
    return base::join_path(directory(id), name);
  }

 private:
  const std::string containers_;
  const std::string removed_;
};

// The files in a container's runtime directory.
inline constexpr char kConfigFile[] = "config";            // ContainerConfig
inline constexpr char kParkedFile[] = "parked";            // as `pid`, before the release
inline constexpr char kPidFile[] = "pid";                  // "<pid> <start time>"
inline constexpr char kStatusFile[] = "status";            // written by the launch helper
inline constexpr char kTerminationFile[] = "termination";  // ContainerTermination
inline constexpr char kFetcherFile[] = "fetcher";          // the process that fetches, as in `pid`
inline constexpr char kSwitchboardDirectory[] = "io_switchboard";

}  // namespace containerizer
