// How both launchers start the launch helper.
#pragma once

#include "containerizer/launcher.h"

namespace containerizer {

// Clones with the spec's namespaces, below the parent container's where the spec says so, and
// executes the helper with its descriptors in place. The process is a child of the agent in any
// case.
base::Result<ParkedProcess> start_helper(const HelperImage& helper, const LaunchRequest& request);

}  // namespace containerizer
