// What a master asks to be launched, and what may stand in the way.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/tasks/task_services.h"
#include "proto/mesos/internal/messages.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// One message of the master.
struct Launch {
  mesos::v1::ExecutorInfo executor;
  bool is_command_executor = false;
  std::vector<mesos::v1::TaskInfo> tasks;
  bool is_group = false;
  std::optional<bool> launch_executor;  // whether there must not be one; absent: either will do
  std::vector<mesos::internal::ResourceVersionUUID> versions;
};

// Its tasks' ids, for messages.
std::string describe(const Launch& launch);

// Why tasks are not launched.
struct Refusal {
  mesos::v1::TaskStatus::Reason reason;
  std::string message;
  std::optional<mesos::v1::TaskState> state = {};  // else TASK_DROPPED, or TASK_LOST
};

// What a task has a limit of that nothing enforces: it must not run.
std::optional<std::string> unenforceable_limit(const mesos::v1::TaskInfo& task,
                                               const std::vector<std::string>& isolation);

// Whether the agent has what the tasks and their executor are to use.
bool knows_resources_of(const TaskServices& services, const Launch& launch);

// Whatever is to be checked when the launch's turn has come. Nothing: it may go on.
std::optional<Refusal> check_launch(const Agent& agent, const TaskServices& services,
                                    const Framework& framework, const Launch& launch);

}  // namespace agent
