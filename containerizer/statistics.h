// The part of a container's statistics that no isolator measures: what it asked for.
#pragma once

#include "isolators/isolator.h"

namespace containerizer {

// Soft limits are the request; hard limits the limit (an infinite one is all that the host has), or
// the request where it is enforced.
void add_requested(const isolators::ContainerConfig& config, bool cpu_limits_enforced,
                   mesos::v1::ResourceStatistics* statistics);

}  // namespace containerizer
