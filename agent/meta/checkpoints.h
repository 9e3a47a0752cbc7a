// Writing down what the agent must know again after a restart. Each call has done its work when it
// returns, as far as the death of this process is concerned: the kernel has it. Nothing is synced
// to the disk: after a crash of the host no process is left to know of.
//
// Messages are written with their resources in the older form, if that can express them, as other
// agents expect of them; see agent/resource_format.h.
#pragma once

#include <google/protobuf/message.h>
#include <sys/types.h>

#include <string>

#include "agent/meta/paths.h"
#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// One message as one record; the file is replaced as a whole, its directory made.
base::Status checkpoint_message(const std::string& path, const google::protobuf::Message& message);

// kNotFound if there is no file or it is empty: that was not written before a crash. Resources are
// brought into the form that Mesos has now.
base::Status read_message(const std::string& path, google::protobuf::Message& message);

// The agent's directory, slave.info (with SlaveInfo's field `checkpoint` set) and, last of all, the
// link `latest`. `info` must have the id of `paths`.
base::Status checkpoint_agent(const MetaPaths& paths, const mesos::v1::AgentInfo& info);

// `pid` is the scheduler's; empty stands for a scheduler that uses HTTP.
base::Status checkpoint_framework(const MetaPaths& paths, const mesos::v1::FrameworkInfo& info,
                                  const std::string& pid);

// executor.info and executor_generated_for_command_task.
base::Status checkpoint_executor(const MetaPaths& paths, const std::string& framework,
                                 const mesos::v1::ExecutorInfo& info,
                                 bool generated_for_command_task);

// The run's directory, and `latest` beside it. The sandbox must have been made before.
base::Status checkpoint_run(const MetaPaths& paths, const RunId& run);

// Must have returned before the executor may run code of its user.
base::Status checkpoint_forked_pid(const MetaPaths& paths, const RunId& run, pid_t pid);

// How to reach the executor: it has registered as a driver executor, or subscribed by HTTP.
base::Status checkpoint_libprocess_pid(const MetaPaths& paths, const RunId& run,
                                       const std::string& pid);
base::Status mark_http(const MetaPaths& paths, const RunId& run);

// As `task` was launched: state TASK_STAGING. Before it is handed to its executor.
base::Status checkpoint_task(const MetaPaths& paths, const RunId& run, const mesos::v1::Task& task);

// The run has ended and every update of it is acknowledged.
base::Status mark_completed(const MetaPaths& paths, const RunId& run);

base::Status checkpoint_drain(const MetaPaths& paths, const mesos::v1::DrainConfig& config);
base::Status remove_drain(const MetaPaths& paths);

}  // namespace agent
