// What a container may use.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "isolators/isolator.h"

namespace containerizer {

using PersistentVolume = mesosagent::internal::PersistentVolume;

struct Allocation {
  std::vector<mesos::v1::Resource> resources;
  std::map<std::string, double> limits;
  std::vector<PersistentVolume> volumes;  // of an executor
};

// Puts it in place of what the configuration had.
void set_allocation(const Allocation& allocation, isolators::ContainerConfig* config);

// The same in the checkpoint of a configuration.
base::Status checkpoint_allocation(const std::string& file, const Allocation& allocation);

// To be called before volumes are given to a container that has `config`: notes in its checkpoint
// that they come, if there are any that it has not. So there is never one that the agent's next run
// does not know of, and could not take away.
base::Status announce_volumes(const std::string& file, const isolators::ContainerConfig& config,
                              const Allocation& allocation);

// Makes a configuration that the agent has died in the midst of changing unlike any allocation, so
// that the next update is not taken for one that changes nothing.
void unsettle(isolators::ContainerConfig* config);

}  // namespace containerizer
