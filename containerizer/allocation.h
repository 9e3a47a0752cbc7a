// What a container may use.
#pragma once

#include <map>
#include <string>
#include <vector>

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

}  // namespace containerizer
