// Sandboxes that nobody knows of any more: those of frameworks that do not checkpoint, after a
// restart of the agent.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/meta/paths.h"

namespace agent {

// The executors of each framework, by ids.
using KnownExecutors = std::map<std::string, std::set<std::string>>;

// The directories, below the agent's in work_dir, of frameworks and executors that are not known;
// none is below another. Each is made to be as old as the youngest run in it, which tells when that
// has last written something: nobody has noted when it ended. For a worker thread.
std::vector<std::string> find_forgotten_sandboxes(const MetaPaths& paths,
                                                  const KnownExecutors& known);

}  // namespace agent
