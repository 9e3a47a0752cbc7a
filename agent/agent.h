// The agent as the API sees it: its configuration, what it offers, what it runs.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "agent/authentication.h"
#include "agent/authorizer.h"
#include "agent/flags.h"
#include "agent/gc/garbage_collector.h"
#include "agent/logging_level.h"
#include "agent/resource_provider_configs.h"
#include "agent/state.h"
#include "containerizer/containerizer.h"
#include "http/body.h"
#include "libprocess/receiver.h"
#include "libprocess/sender.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

class Tasks;

struct Agent {
  Agent(Flags flags_, mesos::v1::AgentInfo info_, containerizer::Services services);

  const Flags flags;

  // What it says of itself. `id` is set once a master has given one.
  mesos::v1::AgentInfo info;

  // The address under which it is reached, with info.port().
  std::string ip = "127.0.0.1";

  // Where the executors' socket is, if it is served; and one for executors of this project only,
  // which speak no TLS.
  std::string domain_socket;
  std::string own_executors_socket;

  const std::chrono::steady_clock::time_point started = std::chrono::steady_clock::now();
  const std::chrono::system_clock::time_point started_at = std::chrono::system_clock::now();

  Authentication authentication;         // asks nobody until it is loaded
  std::optional<Authorizer> authorizer;  // none: everybody may do everything

  State state;

  // What runs them; none in a standalone agent.
  Tasks* tasks = nullptr;

  // Counted by the API.
  uint64_t container_launch_errors = 0;

  // Between heartbeats to an executor that is told nothing else, as in Mesos.
  std::chrono::nanoseconds executor_heartbeat_interval = std::chrono::minutes(30);

  // What is being received of calls. At least so many of the largest can come at once.
  static constexpr size_t kLargeRequests = 4;
  http::BodyBudget request_bodies;

  // How long recovery took.
  std::chrono::nanoseconds recovery_time{0};

  // Messages from and to masters, driver executors and driver schedulers. A standalone agent has no
  // process that could get any.
  libprocess::Receiver receiver;
  libprocess::Sender sender;

  LoggingLevel logging_level;
  std::optional<ResourceProviderConfigs> resource_provider_configs;

  GarbageCollector garbage;  // deletes nothing before it is started
  containerizer::Containerizer containers;
};

// To be called when what an earlier run has left is known.
void start_garbage_collection(Agent& agent);

}  // namespace agent
