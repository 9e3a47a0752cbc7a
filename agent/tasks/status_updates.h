// Status updates: from an executor, or from the agent itself, into the task's stream and into the
// state; from there to the master; and back the acknowledgement.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "agent/agent.h"
#include "agent/meta/recovered.h"
#include "agent/tasks/executor_containers.h"
#include "agent/tasks/executor_key.h"
#include "agent/tasks/frameworks.h"
#include "agent/tasks/task_checkpoints.h"
#include "agent/tasks/task_services.h"
#include "agent/tasks/update_room.h"
#include "agent/tasks/update_streams.h"
#include "base/result.h"
#include "base/scope.h"
#include "base/task.h"
#include "proto/mesos/internal/messages.pb.h"
#include "proto/mesos/v1/executor/executor.pb.h"

namespace agent {

// Moves tasks through the lists of their executor as updates say: from queued or launched to
// terminated. Frameworks and executors stay, but for acknowledge().
class StatusUpdates {
 public:
  using Status = mesos::v1::TaskStatus;
  using Update = mesos::internal::StatusUpdate;

  // All must outlive this. Nothing is sent to the master before resume().
  StatusUpdates(Agent& agent, Frameworks& frameworks, ExecutorContainers& containers,
                const TaskCheckpoints& checkpoints, ToMaster to_master);
  StatusUpdates(const StatusUpdates&) = delete;
  StatusUpdates& operator=(const StatusUpdates&) = delete;

  // --- What the agent says (agent_updates.cpp). `executor`: as the update is to name it. ---

  void say(const Framework& framework, const mesos::v1::TaskID& task, mesos::v1::TaskState state,
           Status::Reason reason, std::string message,
           const mesos::v1::ExecutorID* executor = nullptr);

  // That the task is not launched: TASK_DROPPED, or TASK_LOST.
  void drop(const Framework& framework, const mesos::v1::TaskID& task, Status::Reason reason,
            std::string message, const mesos::v1::ExecutorID* executor = nullptr);

  // That the tasks which the executor had not ended have ended with it.
  void end_tasks(const Framework& framework, const Executor& executor,
                 const ExecutorContainers::Termination& termination);

  // The master asks about tasks that it had not found in what it was told of the agent.
  void answer(const mesos::internal::SlaveReregisteredMessage& message);

  // --- What executors report. An error: it is one too many, more of that executor wait than the
  // agent keeps (UpdateRoom). What is wrong otherwise is logged, and ignored. ---

  base::Status report(const mesos::v1::executor::Call& call);

  // `sender`: the process id of a driver's executor.
  base::Status report(Update update, const std::string& sender = {});

  // --- The master ---

  // May remove the executor and its framework: maybe that was what they waited for.
  void acknowledge(const mesos::internal::StatusUpdateAcknowledgementMessage& message);

  // Sends what waits, at once. Nothing, from pause() on.
  void resume() { streams_.resume(); }
  void pause() { streams_.pause(); }

  // --- What comes and goes with others ---

  // What an earlier run of the agent has kept of a task.
  base::Status restore(const std::string& framework, const RecoveredTask& task);

  // Nobody wants to hear of the framework's tasks any more.
  void drop_framework(const std::string& id) { streams_.drop_framework(id); }

  void executor_gone(const ExecutorKey& key) { room_.forget_executor(key); }
  void framework_gone(const std::string& id, bool wanted);

 private:
  using TaskKey = std::pair<std::string, std::string>;  // framework, task

  // agent_updates.cpp
  Update make(const Framework& framework, const mesos::v1::TaskID& task, mesos::v1::TaskState state,
              Status::Reason reason, std::string message,
              const mesos::v1::ExecutorID* executor) const;
  void answer_unknown(const Framework& framework, const mesos::v1::TaskID& task);

  // status_updates.cpp
  void take(Update update, bool from_executor, const std::string& sender = {});
  bool keep(const Update& update, bool from_executor);
  base::Task<void> keep_later(TaskKey key);
  base::Result<UpdateStreams::Added> add_to_stream(const Framework& framework,
                                                   const Executor* executor, const Update& update);
  Executor* find_executor_of(Framework& framework, const Update& update, bool from_executor);
  void complete_status(const Framework& framework, const Executor* executor, bool from_executor,
                       Update* update) const;
  void apply(const Framework& framework, Executor& executor, const Status& status);
  void forward(const Update& head);
  void count(mesos::v1::TaskState state);

  Agent& agent_;
  State& state_;
  Frameworks& frameworks_;
  ExecutorContainers& containers_;
  const TaskCheckpoints& checkpoints_;
  const ToMaster to_master_;
  UpdateStreams streams_;
  UpdateRoom room_;
  // Updates that could not be written yet, and whether they are an executor's.
  std::map<TaskKey, std::deque<std::pair<Update, bool>>> unwritten_;
  base::Scope scope_;  // last: ends before what its tasks use
};

}  // namespace agent
