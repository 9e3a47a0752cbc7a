// Runtime directories go in one step for whoever looks at them after a crash: what is left half
// deleted is never taken for a container.
#pragma once

#include <string>

#include "base/result.h"
#include "containerizer/paths.h"

namespace containerizer {

// Moves the container's directory, with those of its children, to RuntimePaths::removed(), and says
// where it is there. kNotFound if there is none.
base::Result<std::string> set_aside_runtime_directory(const RuntimePaths& paths,
                                                      const ContainerId& id);

// Deletes it. May take long.
base::Status remove_runtime_directory(const RuntimePaths& paths, const ContainerId& id);

}  // namespace containerizer
