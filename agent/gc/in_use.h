// The last line of defence against deleting what runs.
#pragma once

#include <string>

#include "agent/agent.h"

namespace agent {

// Whether `path` is, or is above, something that this agent needs at present: a container's
// sandbox, the directories of a framework or an executor that has not ended, or those of the agent
// itself.
bool is_in_use(const Agent& agent, const std::string& path);

}  // namespace agent
