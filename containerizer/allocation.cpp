#include "containerizer/allocation.h"

namespace containerizer {

void set_allocation(const Allocation& allocation, isolators::ContainerConfig* config) {
  const auto& [resources, limits, volumes] = allocation;
  config->mutable_resources()->Assign(resources.begin(), resources.end());
  config->clear_limits();
  for (const auto& [name, value] : limits) (*config->mutable_limits())[name].set_value(value);
  config->mutable_volumes()->Assign(volumes.begin(), volumes.end());
}

}  // namespace containerizer
