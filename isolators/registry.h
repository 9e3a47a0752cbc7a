// The isolators by name, and their order.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "isolators/isolator.h"

namespace isolators {

struct IsolatorOptions {
  std::vector<std::string> names;  // --isolation
  bool linux_launcher = true;      // namespaces and cgroups are available
  std::string cgroups_root;
  bool cgroups_enable_cfs = false;
  bool cgroups_limit_swap = false;
  bool cgroups_count_processes = false;
  bool disallow_sharing_agent_pid_namespace = false;
};

// Makes the isolators that --isolation names, in the order in which they are to prepare. A name
// that is unknown, listed twice, or whose needs are not met is an error with a sentence.
base::Result<std::vector<std::unique_ptr<Isolator>>> make_isolators(const IsolatorOptions& options);

}  // namespace isolators
