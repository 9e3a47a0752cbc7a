// The containers of executors: launched, given what their tasks need, and seen to their end.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "agent/agent.h"
#include "agent/tasks/executor_control.h"
#include "agent/tasks/executor_key.h"
#include "agent/tasks/frameworks.h"
#include "agent/tasks/task_checkpoints.h"
#include "base/own_frame.h"
#include "base/result.h"
#include "base/scope.h"
#include "base/task.h"

namespace agent {

// Knows of tasks only what resources they have. A container has as long a life here as its
// executor in Frameworks, so that one is there whenever this looks it up.
class ExecutorContainers {
 public:
  using Termination = base::Result<containerizer::ContainerTermination>;

  // Called when an executor's container has ended, or could not be launched: the executor is
  // kTerminated, and can be removed.
  using Ended = std::function<void(const ExecutorKey& key, const Termination& termination)>;

  // All must outlive this.
  ExecutorContainers(Agent& agent, Frameworks& frameworks, const TaskCheckpoints& checkpoints,
                     Ended ended);
  ExecutorContainers(const ExecutorContainers&) = delete;
  ExecutorContainers& operator=(const ExecutorContainers&) = delete;

  // The executor's sandbox, and the link to the latest one. Before launch(), since a container
  // deletes the one that it has made if it cannot start; what its fetcher said of the reason would
  // be in there.
  base::Task<base::Status> make_sandbox(const Framework& framework, const Executor& executor) const;

  // For an executor and its first tasks, which Frameworks has.
  void launch(const Framework& framework, const Executor& executor);

  // Looks after the container of an earlier run of the agent: Agent::containers has it, unless it
  // has ended.
  void take_up(const ExecutorKey& key);

  // The container gets what its tasks have now. If it cannot, it goes: false.
  bool update(const Framework& framework, Executor& executor);

  // Without asking the executor. It is kTerminating from then on.
  void destroy(Executor& executor, EndCause cause);

 private:
  // What the container of an executor is launched with; nullptr: it runs already. It is held until
  // then, and no longer.
  using ToLaunch = std::unique_ptr<containerizer::LaunchParameters>;

  ToLaunch launch_parameters(const Framework& framework, const Executor& executor) const;
  containerizer::Allocation allocation_of(const Executor& executor) const;
  base::Task<void> live(ExecutorKey key, ToLaunch launch, std::chrono::nanoseconds patience);
  base::Task<Termination> run_container(const ExecutorKey& key, isolators::ContainerId id,
                                        ToLaunch launch);
  OWN_FRAME base::Task<bool> launch_container(const ExecutorKey& key, ToLaunch launch);
  base::Task<void> see_to_its_end(const ExecutorKey& key, ExecutorControl& control,
                                  std::chrono::nanoseconds patience);
  OWN_FRAME base::Task<void> see_to_its_start(const ExecutorKey& key, ExecutorControl& control,
                                              std::chrono::nanoseconds patience);
  void finish(const ExecutorKey& key, const Termination& termination);

  Agent& agent_;
  Frameworks& frameworks_;
  const TaskCheckpoints& checkpoints_;
  const Ended ended_;
  base::Scope scope_;  // last: ends before what its tasks use
};

}  // namespace agent
