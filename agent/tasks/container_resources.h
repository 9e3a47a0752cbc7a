// What an executor's container may use: the executor's share and those of the tasks it has.
#pragma once

#include <map>
#include <string>

#include "agent/state.h"

namespace agent {

// The limits of the container by resource, cpus and mem. None, if no task has any. A task without
// one counts with its request; for cpus only if requests are limits anyway (--cgroups_enable_cfs),
// else there is no limit then. Infinity wins.
std::map<std::string, double> container_limits(const Executor& executor, bool cgroups_enable_cfs);

}  // namespace agent
