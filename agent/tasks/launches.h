// From a master's RunTask or RunTaskGroup to the queue of the executor that gets the tasks.
// Launches for one executor are worked off one after the other, in their order; others may overtake
// them.
#pragma once

#include <deque>
#include <map>
#include <string>

#include "agent/agent.h"
#include "agent/tasks/executor_containers.h"
#include "agent/tasks/executor_key.h"
#include "agent/tasks/frameworks.h"
#include "agent/tasks/launch_check.h"
#include "agent/tasks/status_updates.h"
#include "agent/tasks/task_delivery.h"
#include "agent/tasks/task_services.h"
#include "base/scope.h"
#include "base/task.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// Until its turn has come, a task is in Framework::pending_tasks: whoever kills it takes it out of
// there, and the launch finds that out.
class Launches {
 public:
  // All must outlive this.
  Launches(Agent& agent, const TaskServices& services, Frameworks& frameworks,
           ExecutorContainers& containers, StatusUpdates& updates, TaskDelivery& delivery);
  Launches(const Launches&) = delete;
  Launches& operator=(const Launches&) = delete;

  // What does not fit the present state is logged, and ignored. May remove the framework.
  void run_task(const mesos::internal::RunTaskMessage& message);
  void run_task_group(const mesos::internal::RunTaskGroupMessage& message);

 private:
  void accept(const mesos::v1::FrameworkInfo& info, const std::string& pid, Launch launch);
  base::Task<void> run_launches(ExecutorKey key);
  base::Task<void> run_launch(ExecutorKey key, const Launch& launch);
  void refuse(const Framework& framework, const Launch& launch, const Refusal& refusal);
  void owe_exit(const Launch& launch, const std::string& framework);

  Agent& agent_;
  State& state_;
  const TaskServices& services_;
  Frameworks& frameworks_;
  ExecutorContainers& containers_;
  StatusUpdates& updates_;
  TaskDelivery& delivery_;
  std::map<ExecutorKey, std::deque<Launch>> turns_;  // those whose turn comes, in order
  base::Scope scope_;                                // last: ends before what its tasks use
};

}  // namespace agent
