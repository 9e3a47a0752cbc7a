// What the agent adds to what a scheduler says of its executors.
#pragma once

#include <map>
#include <string>

#include "agent/agent.h"

namespace agent {

// The executor that runs a command task: mesos-executor, under the task's id. The master knows
// nothing of it; its own share, 0.1 cpus and 32 MB, comes on top of the task's resources.
mesos::v1::ExecutorInfo make_command_executor(const Flags& flags,
                                              const mesos::v1::FrameworkInfo& framework,
                                              const mesos::v1::TaskInfo& task);

// The command of an executor: its own, or that of mesos-default-executor.
mesos::v1::CommandInfo command_of(const Flags& flags, const mesos::v1::ExecutorInfo& executor);

// Whom an executor runs as, if --switch_user.
std::string user_of(const Framework& framework, const Executor& executor);

// How long an executor may take to end when it is asked to.
std::chrono::nanoseconds shutdown_grace_of(const Flags& flags,
                                           const mesos::v1::ExecutorInfo& executor);

// What an executor finds in its environment, besides what its command brings. `token` may be empty.
std::map<std::string, std::string> executor_environment(const Agent& agent,
                                                        const Framework& framework,
                                                        const Executor& executor,
                                                        const std::string& token);

}  // namespace agent
