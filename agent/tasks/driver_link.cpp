#include "agent/tasks/driver_link.h"

#include <glog/logging.h>

#include "agent/state.h"
#include "agent/tasks/task_status.h"

namespace agent {

void DriverLink::launch(const Framework& framework, const mesos::v1::TaskInfo& task) {
  mesos::internal::RunTaskMessage message;
  *message.mutable_framework() = framework.info;
  *message.mutable_task() = task;
  message.set_pid(framework.pid.empty() ? std::string(kNoSchedulerPid) : framework.pid);
  post_(pid_, message);
}

// The driver knows no groups.
void DriverLink::launch_group(const mesos::v1::TaskGroupInfo& /*group*/) {
  LOG(FATAL) << "A task group for driver executor " << pid_;
}

void DriverLink::kill(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task,
                      const std::optional<mesos::v1::KillPolicy>& policy) {
  mesos::internal::KillTaskMessage message;
  *message.mutable_framework_id() = framework;
  *message.mutable_task_id() = task;
  if (policy) *message.mutable_kill_policy() = *policy;
  post_(pid_, message);
}

void DriverLink::acknowledge(const mesos::v1::FrameworkID& framework, const mesos::v1::TaskID& task,
                             const std::string& uuid) {
  mesos::internal::StatusUpdateAcknowledgementMessage message;
  *message.mutable_slave_id() = agent_;
  *message.mutable_framework_id() = framework;
  *message.mutable_task_id() = task;
  message.set_uuid(uuid);
  post_(pid_, message);
}

void DriverLink::message(const mesos::v1::FrameworkID& framework,
                         const mesos::v1::ExecutorID& executor, const std::string& data) {
  mesos::internal::FrameworkToExecutorMessage message;
  *message.mutable_slave_id() = agent_;
  *message.mutable_framework_id() = framework;
  *message.mutable_executor_id() = executor;
  message.set_data(data);
  post_(pid_, message);
}

void DriverLink::shut_down() { post_(pid_, mesos::internal::ShutdownExecutorMessage()); }

}  // namespace agent
