// Tasks on the last part of their way: queued at their executor, and handed to it when it is there.
#pragma once

#include <vector>

#include "agent/state.h"
#include "agent/tasks/executor_containers.h"
#include "agent/tasks/status_updates.h"
#include "agent/tasks/task_checkpoints.h"

namespace agent {

// Has no state: the queues are Executor::queued_tasks and queued_groups. Removes nothing.
class TaskDelivery {
 public:
  // All must outlive this.
  TaskDelivery(ExecutorContainers& containers, StatusUpdates& updates,
               const TaskCheckpoints& checkpoints)
      : containers_(containers), updates_(updates), checkpoints_(checkpoints) {}

  // Delivers the tasks at once if the executor runs, and drops them if it is ending. `is_group`:
  // they are delivered, and killed, together.
  void queue(const Framework& framework, Executor& executor,
             const std::vector<mesos::v1::TaskInfo>& tasks, bool is_group);

  // Hands over what is queued, if the executor runs. The container is given the tasks' resources
  // first; the executor may end of that.
  void deliver(const Framework& framework, Executor& executor);

 private:
  void drop_groups(const Framework& framework, Executor& executor);

  ExecutorContainers& containers_;
  StatusUpdates& updates_;
  const TaskCheckpoints& checkpoints_;
};

// Nothing is queued, and nothing was ever delivered: it is asked to end.
bool has_nothing_to_do(const Executor& executor);

}  // namespace agent
