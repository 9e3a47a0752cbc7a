// Frameworks, executors and tasks of an earlier run of the agent.
#pragma once

#include <vector>

#include "agent/agent.h"
#include "agent/meta/recovered.h"
#include "agent/tasks/executor_containers.h"
#include "agent/tasks/executor_key.h"
#include "agent/tasks/frameworks.h"
#include "agent/tasks/kills.h"
#include "agent/tasks/status_updates.h"
#include "agent/tasks/task_checkpoints.h"
#include "agent/tasks/task_garbage.h"
#include "agent/tasks/task_services.h"
#include "base/task.h"

namespace agent {

// Has no state: it works once.
class TaskRecovery {
 public:
  // All must outlive this.
  TaskRecovery(Agent& agent, ToProcess to_process, const TaskCheckpoints& checkpoints,
               const TaskGarbage& garbage, Frameworks& frameworks, ExecutorContainers& containers,
               StatusUpdates& updates, Kills& kills);

  // As Tasks::recover().
  base::Task<void> recover(RecoveredAgent recovered);

 private:
  void recover_framework(const RecoveredFramework& recovered);
  void recover_executor(Framework& framework, const RecoveredExecutor& recovered);
  void destroy_strangers();
  void reconnect(const RecoveredAgent& recovered);
  void end_recovered(const RecoveredAgent& recovered);
  base::Task<void> executors_back(const std::vector<ExecutorKey>& waiting);

  Agent& agent_;
  State& state_;
  const ToProcess to_process_;
  const TaskCheckpoints& checkpoints_;
  const TaskGarbage& garbage_;
  Frameworks& frameworks_;
  ExecutorContainers& containers_;
  StatusUpdates& updates_;
  Kills& kills_;
};

}  // namespace agent
