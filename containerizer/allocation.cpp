#include "containerizer/allocation.h"

#include <algorithm>

#include "containerizer/checkpoint.h"
#include "isolators/resources.h"

namespace containerizer {

using base::Status;
using isolators::ContainerConfig;

namespace {

bool has_volume(const ContainerConfig& config, const PersistentVolume& volume) {
  return std::ranges::any_of(config.volumes(), [&volume](const auto& other) {
    return other.host_path() == volume.host_path() &&
           other.container_path() == volume.container_path();
  });
}

}  // namespace

void set_allocation(const Allocation& allocation, ContainerConfig* config) {
  const auto& [resources, limits, volumes] = allocation;
  config->mutable_resources()->Assign(resources.begin(), resources.end());
  config->clear_limits();
  for (const auto& [name, value] : limits) (*config->mutable_limits())[name].set_value(value);
  config->mutable_volumes()->Assign(volumes.begin(), volumes.end());
  config->clear_volumes_change();
}

Status checkpoint_allocation(const std::string& file, const Allocation& allocation) {
  ContainerConfig whole;
  TRY_VOID(read_checkpoint(file, &whole));
  set_allocation(allocation, &whole);
  return write_checkpoint(file, whole);
}

Status announce_volumes(const std::string& file, const ContainerConfig& config,
                        const Allocation& allocation) {
  if (std::ranges::all_of(allocation.volumes,
                          [&config](const auto& volume) { return has_volume(config, volume); })) {
    return {};
  }
  ContainerConfig whole;
  TRY_VOID(read_checkpoint(file, &whole));
  for (const PersistentVolume& volume : allocation.volumes) {
    if (!has_volume(whole, volume)) *whole.add_volumes() = volume;
  }
  whole.set_volumes_change(true);
  return write_checkpoint(file, whole);
}

void unsettle(ContainerConfig* config) {
  if (config->volumes_change()) *config->add_resources() = isolators::make_scalar("unsettled", 0);
}

}  // namespace containerizer
