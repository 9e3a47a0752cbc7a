// The agent as the API sees it: its configuration, what it offers, its containers.
#pragma once

#include <chrono>
#include <vector>

#include "agent/flags.h"
#include "agent/logging_level.h"
#include "containerizer/containerizer.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

struct Agent {
  Agent(Flags flags_, std::vector<mesos::v1::Resource> resources_, containerizer::Services services)
      : flags(std::move(flags_)),
        resources(std::move(resources_)),
        containers(std::move(services)) {}

  const Flags flags;
  const std::vector<mesos::v1::Resource> resources;
  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();

  // Counted by the API.
  uint64_t container_launch_errors = 0;

  // How long recovery took.
  std::chrono::nanoseconds recovery_time{0};

  LoggingLevel logging_level;
  containerizer::Containerizer containers;
};

}  // namespace agent
