// The directories of persistent volumes on the agent's own disks.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "agent/resource_set.h"
#include "base/result.h"
#include "proto/mesos/v1/resources.pb.h"

namespace agent {

// Where the volume is: below work_dir, below the root of a PATH disk (relative roots are below
// work_dir too), or the root of a MOUNT disk. kInvalid for what is no persistent volume or has an
// id, role or root that would lead elsewhere; kUnsupported for disks of resource providers.
base::Result<std::string> volume_path(const std::string& work_dir,
                                      const mesos::v1::Resource& volume);

// What must be so before disks are offered: makes the roots of PATH disks; kInvalid if the root of
// a MOUNT disk is no mount point of this process's mount namespace.
base::Status prepare_disks(const std::string& work_dir,
                           const std::vector<mesos::v1::Resource>& resources);

// Fails as volume_path() does if one of the persistent volumes in the set has no path.
base::Status check_volumes(const std::string& work_dir, const ResourceSet& resources);

// Whether there are volumes in `before` that are not in `target`: sync_volumes() may take long.
bool deletes_volumes(const std::string& work_dir, const ResourceSet& before,
                     const ResourceSet& target);

// Makes the directories of the volumes that are in `target` and not in `before`, keeping those that
// are there with all in them, and deletes, with what is in them, those of volumes that are only in
// `before`. Of a MOUNT disk the root stays. Doing it again does nothing more. Blocks for as long as
// deleting takes, and may be called on any thread. When `stop` is requested it ends with an error,
// and leaves the rest.
base::Status sync_volumes(const std::string& work_dir, const ResourceSet& before,
                          const ResourceSet& target, const std::stop_token& stop = {});

}  // namespace agent
