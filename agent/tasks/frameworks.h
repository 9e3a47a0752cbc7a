// The frameworks and executors that there are: how they come into Agent::state, how they are found
// there, and how they leave it. A framework comes with its first task and goes with its last
// executor.
#pragma once

#include <functional>
#include <string>

#include "agent/state.h"
#include "agent/tasks/executor_key.h"
#include "agent/tasks/task_checkpoints.h"
#include "agent/tasks/task_garbage.h"
#include "base/sync.h"
#include "base/task.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// Nothing else adds frameworks or executors to the state, or takes them out of it.
//
// A reference to an executor is good until remove_if_done(), one to a framework until
// remove_if_idle(). Both are called, here and by others, only where something has ended: the
// functions that call them say "may remove". Who waits (co_await) looks them up again.
class Frameworks {
 public:
  // What those must hear that know more of them.
  struct Hooks {
    std::function<void(const ExecutorKey& key)> executor_gone;

    // `wanted`: somebody may still want to hear of its tasks.
    std::function<void(const std::string& id, bool wanted)> framework_gone;
  };

  // All must outlive this.
  Frameworks(State& state, const TaskCheckpoints& checkpoints, const TaskGarbage& garbage,
             Hooks hooks);
  Frameworks(const Frameworks&) = delete;
  Frameworks& operator=(const Frameworks&) = delete;

  // --- Finding. nullptr: there is none. ---

  Framework* find(const std::string& id);

  // `framework` is set if the framework is there, whether it has the executor or not.
  Executor* find_executor(const ExecutorKey& key, Framework** framework = nullptr);

  // The executor that has the task, queued, launched or terminated.
  static Executor* find_executor_of_task(Framework& framework, const mesos::v1::TaskID& task);

  // --- Coming ---

  // The framework of that id, which is there already, or comes (back) with this.
  Framework& add(const mesos::v1::FrameworkInfo& info, const std::string& pid);

  // Before the sandbox of an executor is made that there is not yet: saves its directories from
  // being deleted. kTimeout: they cannot be.
  base::Task<base::Status> reclaim(ExecutorKey key);

  // Its sandbox has been made.
  Executor& add_executor(Framework& framework, Executor executor);

  // What the master says anew of a framework. False: nothing, as far as we are concerned.
  bool update(const mesos::internal::UpdateFrameworkMessage& message);

  // One of an earlier run of the agent, with its executors. Without any, it has ended.
  void restore(Framework framework);

  // --- Going ---

  // The last update of a task has been acknowledged. May remove the executor.
  void complete_task(Framework& framework, Executor& executor, const mesos::v1::TaskID& task);

  // Removes an executor that has ended. It is kept until everything about its tasks is
  // acknowledged, unless nobody wants to hear of them any more. The framework stays in any case.
  void remove_if_done(Framework& framework, Executor& executor);

  // Removes a framework that has nothing left.
  void remove_if_idle(Framework& framework);

  // The executor of that run was not added after all, though its directories may have been made;
  // its framework may have gone meanwhile. May remove the framework.
  void abandon(const RunId& run);

  // Nobody wants to hear of its tasks any more: asks its executors to end. May remove it.
  void shut_down(Framework& framework);

  void shut_down_all();

  // Waits until there is no framework left.
  base::Task<void> all_gone();

  // Ends the frameworks that do not checkpoint, and waits until they are gone.
  base::Task<void> end_uncheckpointed();

  // Adds an executor to those of which only the API still tells.
  static void archive(Framework& framework, Executor executor);

 private:
  void archive(Framework framework);

  State& state_;
  const TaskCheckpoints& checkpoints_;
  const TaskGarbage& garbage_;
  const Hooks hooks_;
  base::Event gone_;  // a framework
};

}  // namespace agent
