// Frameworks, executors and tasks: what a master asks for, what executors report, and what becomes
// of both. Everything that it knows is in Agent::state, where the API reads it.
//
// The life of a task: pending (its launch is being checked) → queued (its executor is not ready) →
// launched → terminated (its last update is not acknowledged yet) → completed.
#pragma once

#include <memory>
#include <string>

#include "agent/agent.h"
#include "agent/meta/recovered.h"
#include "agent/tasks/event_stream.h"
#include "agent/tasks/executor_connections.h"
#include "agent/tasks/executor_containers.h"
#include "agent/tasks/frameworks.h"
#include "agent/tasks/kills.h"
#include "agent/tasks/launches.h"
#include "agent/tasks/status_updates.h"
#include "agent/tasks/task_checkpoints.h"
#include "agent/tasks/task_delivery.h"
#include "agent/tasks/task_garbage.h"
#include "agent/tasks/task_recovery.h"
#include "agent/tasks/task_services.h"
#include "base/task.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// What the rest of the agent sees of it. The work is done by the classes below.
class Tasks {
 public:
  Tasks(Agent& agent, TaskServices services);
  Tasks(const Tasks&) = delete;
  Tasks& operator=(const Tasks&) = delete;
  ~Tasks();

  // --- From the master. What does not fit the present state is logged, and ignored. ---

  void run_task(const mesos::internal::RunTaskMessage& message);
  void run_task_group(const mesos::internal::RunTaskGroupMessage& message);
  void kill_task(const mesos::internal::KillTaskMessage& message);
  void shut_down_framework(const mesos::internal::ShutdownFrameworkMessage& message);
  void shut_down_executor(const mesos::internal::ShutdownExecutorMessage& message);
  void update_framework(const mesos::internal::UpdateFrameworkMessage& message);
  void message_to_executor(const mesos::internal::FrameworkToExecutorMessage& message);
  void acknowledge(const mesos::internal::StatusUpdateAcknowledgementMessage& message);
  void drain(const mesos::internal::DrainSlaveMessage& message);

  // The agent has an id: what is checkpointed from now on is below it.
  void registered();

  // Updates flow again. The master has asked about tasks that it had not found in what
  // describe_for() gave.
  void reregistered(const mesos::internal::SlaveReregisteredMessage& message);

  void disconnected();

  // All that a master must know of an agent that comes back.
  void describe_for(mesos::internal::ReregisterSlaveMessage* message) const;

  // What became of operations, which the API shows, and whose end a drain waits for.
  void operations_changed(const mesos::internal::UpdateSlaveMessage::Operations& operations);

  // Asks all executors to end.
  void shut_down();

  // Waits until there is no framework left.
  base::Task<void> all_gone();

  // Ends the frameworks that do not checkpoint, and waits until they are gone: no other run of the
  // agent would know of them.
  base::Task<void> end_uncheckpointed();

  // --- From executors ---

  // An executor that subscribes by HTTP: its events will be on the stream. The framework and the
  // executor must exist.
  void subscribe(const mesos::v1::executor::Call& call, std::shared_ptr<EventStream> stream);

  // What an executor that has subscribed reports, or sends to its scheduler. An update that is
  // refused is one too many: more of that executor wait than the agent keeps (update_room.h).
  base::Status update(const mesos::v1::executor::Call& call);
  void message_from_executor(const mesos::internal::ExecutorToFrameworkMessage& message);

  // A driver's executor. `from` is its process id.
  void register_executor(const std::string& from,
                         const mesos::internal::RegisterExecutorMessage& message);
  void reregister_executor(const std::string& from,
                           const mesos::internal::ReregisterExecutorMessage& message);
  void update_from_driver(const std::string& from,
                          const mesos::internal::StatusUpdateMessage& message);

  // --- The agent's start ---

  // Takes up what an earlier run has checkpointed; Agent::containers must have recovered. Executors
  // may come back from then on. Ends when they have, or their time is over
  // (--executor_reregistration_timeout). With --recover=cleanup they are asked to end: all_gone()
  // says when they have.
  base::Task<void> recover(RecoveredAgent recovered);

 private:
  void executor_ended(const ExecutorKey& key, const ExecutorContainers::Termination& termination);
  void framework_gone(const std::string& id, bool wanted);

  Agent& agent_;
  const TaskServices services_;

  // Each knows of those above it at most. What is said upwards, of executors and frameworks that
  // have ended, goes through the two functions above.
  TaskCheckpoints checkpoints_;
  TaskGarbage garbage_;
  Frameworks frameworks_;
  ExecutorContainers containers_;
  StatusUpdates updates_;
  TaskDelivery delivery_;
  Launches launches_;
  Kills kills_;
  ExecutorConnections connections_;
  TaskRecovery recovery_;
};

}  // namespace agent
