// How both launchers start the launch helper.
#pragma once

#include <functional>

#include "containerizer/launch_watchdog.h"
#include "containerizer/launcher.h"

namespace containerizer {

// Clones with the spec's namespaces, below the parent container's where the spec says so, and
// executes the helper with its descriptors in place. The process is a child of the agent in any
// case.
//
// Should it be stopped or frozen before it has executed the helper, `watchdog` (null: there is
// nobody who could do that) kills it, after `thaw`, which must let it die. Both are called on the
// watchdog's thread.
base::Result<ParkedProcess> start_helper(const HelperImage& helper, const LaunchRequest& request,
                                         LaunchWatchdog* watchdog,
                                         const std::function<void()>& thaw);

}  // namespace containerizer
