// Short ways to write what a client asks for.
#pragma once

#include <limits>
#include <string>

#include "isolators/isolator.h"
#include "isolators/resources.h"

namespace tests {

inline constexpr double kInfinite = std::numeric_limits<double>::infinity();

inline void add_scalar(isolators::ContainerConfig* config, const std::string& name, double value) {
  *config->add_resources() = isolators::make_scalar(name, value);
}

inline void set_limit(isolators::ContainerConfig* config, const std::string& name, double value) {
  (*config->mutable_limits())[name].set_value(value);
}

// A session.
inline isolators::ContainerConfig debug_config() {
  isolators::ContainerConfig config;
  config.set_container_class(isolators::ContainerConfig::DEBUG);
  return config;
}

// What is measured right now, if anything is.
template <typename Measurer>
void read_usage(Measurer&& subsystem, const std::string& group,
                mesos::v1::ResourceStatistics* statistics) {
  if (const auto reader = subsystem.usage_reader(group)) reader(statistics);
}

}  // namespace tests
