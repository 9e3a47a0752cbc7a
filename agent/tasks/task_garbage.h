// What becomes of the directories of tasks, executors and frameworks when they have ended, and when
// there is one of that id again: which are left to the GarbageCollector. It says when they go.
#pragma once

#include <string>

#include "agent/gc/garbage_collector.h"
#include "agent/meta/paths.h"
#include "agent/meta/recovered.h"
#include "agent/tasks/executor_key.h"
#include "agent/tasks/task_checkpoints.h"
#include "base/result.h"
#include "base/task.h"

namespace agent {

// Has no state but the collector's. Knows directories, not what they belong to: its callers say
// what has ended. `checkpointed`: there are checkpoints besides the sandboxes.
class TaskGarbage {
 public:
  using Age = GarbageCollector::Age;

  // Both must outlive this.
  TaskGarbage(GarbageCollector& collector, const TaskCheckpoints& checkpoints)
      : collector_(collector), checkpoints_(checkpoints) {}

  // The checkpoint of a task, which is all that a task has.
  void discard_task(const RunId& run, const std::string& task, Age age) const;

  // An executor's directories and those of its run, from now on.
  void discard_executor(const RunId& run, bool checkpointed) const;

  void discard_framework(const std::string& framework, bool checkpointed, Age age) const;

  // A framework has come, maybe again.
  void keep_framework(const std::string& framework) const;

  // An executor is to come that there is not yet: keeps its directories and those of its framework,
  // and waits for what is being deleted of them. False: what there was of the framework is gone.
  // kTimeout: that takes too long.
  base::Task<base::Result<bool>> reclaim(ExecutorKey key) const;

  // What an earlier run of the agent has left.
  base::Task<void> discard_leftovers(const RecoveredAgent& recovered) const;

 private:
  GarbageCollector& collector_;
  const TaskCheckpoints& checkpoints_;
};

}  // namespace agent
