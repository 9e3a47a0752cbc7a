// What an executor is started with: its environment (the agent's contract with every executor) and
// its flags.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "executors/events.h"

namespace executors {

// Where the executor API is, and how to keep in touch with it.
struct AgentOptions {
  std::string executor_id;
  std::string framework_id;
  std::string domain_socket;  // path; empty: TCP
  std::string ip;
  uint16_t port = 0;
  std::string target;  // of the executor API: "/slave(1)/api/v1/executor"
  std::string token;   // to authenticate with; empty: none
  // Whether to outlive the agent. Without, the loss of a connection is the end.
  bool checkpoint = false;
  Duration recovery_timeout = std::chrono::minutes(15);  // how long to wait for the agent's return
  Duration backoff_max = std::chrono::seconds(1);        // the longest pause before another try
  Duration heartbeat_interval = std::chrono::minutes(30);
};

struct Options {
  AgentOptions agent;
  // The agent destroys the container so long after SHUTDOWN.
  Duration shutdown_grace_period = std::chrono::seconds(5);
  std::vector<Command::Variable> task_environment;  // --task_environment
  std::string user;                                 // --user: whom the task runs as; empty: us
};

// Reads both. `variable` gives the value of an environment variable, or nullptr. kInvalid, with a
// sentence, for what is missing or wrong, and kUnsupported for what this executor cannot do.
base::Result<Options> read_options(std::span<char* const> arguments,
                                   const std::function<const char*(const char*)>& variable);

// The variable of the token, which no task is to see.
inline constexpr char kTokenVariable[] = "MESOS_EXECUTOR_AUTHENTICATION_TOKEN";

}  // namespace executors
