// Kills: of one task, or of all of them when the agent is being drained.
#pragma once

#include <optional>

#include "agent/state.h"
#include "agent/tasks/frameworks.h"
#include "agent/tasks/status_updates.h"
#include "agent/tasks/task_checkpoints.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// Has no state: whether the agent is being drained is in State::drain_config.
class Kills {
 public:
  // All must outlive this.
  Kills(State& state, Frameworks& frameworks, StatusUpdates& updates,
        const TaskCheckpoints& checkpoints)
      : state_(state), frameworks_(frameworks), updates_(updates), checkpoints_(checkpoints) {}

  // Takes the task out of where it waits, or tells its executor. May remove the framework.
  void kill_task(const mesos::internal::KillTaskMessage& message);

  // Draining begins: no task is launched from now on.
  void drain(const mesos::internal::DrainSlaveMessage& message);

  // Goes on with it, after the start of the agent. May remove frameworks.
  void kill_all_for_drain();

  // When a framework has gone, or an operation has ended: maybe it was the last.
  void end_drain_if_done();

 private:
  void kill(Framework& framework, const mesos::v1::TaskID& task,
            const std::optional<mesos::v1::KillPolicy>& policy);
  void kill_queued(Framework& framework, Executor& executor, const mesos::v1::TaskID& task);

  State& state_;
  Frameworks& frameworks_;
  StatusUpdates& updates_;
  const TaskCheckpoints& checkpoints_;
};

}  // namespace agent
