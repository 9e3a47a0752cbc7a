// The persistent volumes of an executor's container: its own and those of its tasks.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "containerizer/allocation.h"
#include "proto/mesos/v1/resources.pb.h"

namespace agent {

// The volumes among the resources that an executor and its tasks hold. What several of them share
// is there once, and writable if one of them may write. kInvalid, with a sentence, if they cannot
// all be in one sandbox: two in one place, or one in another; or if a place is none (see
// isolators/volume_place.h) or the agent's own.
base::Result<std::vector<containerizer::PersistentVolume>> container_volumes(
    const std::string& work_dir, const std::vector<mesos::v1::Resource>& resources);

// kNotFound if the directory of one of them is missing, which a volume always has.
base::Status check_directories(const std::vector<containerizer::PersistentVolume>& volumes);

}  // namespace agent
