// What an operation makes of what resources.
#pragma once

#include <vector>

#include "agent/resource_set.h"
#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

struct Conversion {
  std::vector<mesos::v1::Resource> consumed;
  std::vector<mesos::v1::Resource> converted;
};

// RESERVE, UNRESERVE, CREATE, DESTROY, GROW_VOLUME and SHRINK_VOLUME: these convert at once, and
// masters reckon with that. Allocations are left out, because what is converted is the agent's
// total. kUnsupported for other types, kInvalid for resources that cannot be meant.
base::Result<Conversion> convert(const mesos::v1::Offer::Operation& operation);

// The resources after the conversion. kConflict if what it consumes is not there.
base::Result<ResourceSet> apply(const Conversion& conversion, ResourceSet resources);

// `configured` with each of the `checkpointed` resources in the place of what it was made of.
// kConflict if that is not there: the flags have changed.
base::Result<ResourceSet> substitute(const ResourceSet& configured,
                                     const ResourceSet& checkpointed);

// Those that need a checkpoint.
ResourceSet checkpointed_of(const ResourceSet& resources);

}  // namespace agent
