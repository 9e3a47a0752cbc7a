// From what a client asked for to what the launch helper executes.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "isolators/isolator.h"
#include "isolators/launch_spec.h"
#include "proto/internal/checkpoint.pb.h"

namespace containerizer {

using isolators::ContainerConfig;
using LaunchInfo = mesosagent::internal::ContainerLaunchInfo;

// Whether this agent can run what is asked for. kInvalid, with a sentence, if not.
base::Status check_supported(const ContainerConfig& config);

// Environment and working directory that the container gets. A plain container's environment is
// built from nothing: MESOS_SANDBOX, then the command's variables. A session (`parent` is set)
// starts from its parent's. A later variable of the same name wins. Fails for secrets, which need a
// resolver.
base::Result<LaunchInfo> make_launch_info(const ContainerConfig& config, const LaunchInfo* parent);

// Adds the command, its environment (with a PATH in any case) and its working directory.
void add_command(const ContainerConfig& config, const LaunchInfo& info,
                 isolators::LaunchSpec* spec);

}  // namespace containerizer
