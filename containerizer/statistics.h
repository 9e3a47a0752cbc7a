// Containers' statistics: what isolators measure, and what was asked for.
#pragma once

#include <functional>
#include <vector>

#include "base/task.h"
#include "isolators/isolator.h"

namespace containerizer {

// Adds the part that no isolator measures. Soft limits are the request; hard limits the limit (an
// infinite one is all that the host has), or the request where it is enforced.
void add_requested(const isolators::ContainerConfig& config, bool cpu_limits_enforced,
                   mesos::v1::ResourceStatistics* statistics);

// Measures one container, when called (Container::usage_reader).
using StatisticsReader = std::function<mesos::v1::ResourceStatistics()>;

// Calls all readers, on worker threads and several at a time: a container takes some 30 µs, for
// which nobody else's stream should stand still. The results are in the order of the readers.
base::Task<std::vector<mesos::v1::ResourceStatistics>> measure(
    std::vector<StatisticsReader> readers);

}  // namespace containerizer
