// Frameworks, executors and tasks: what a master asks for, what executors report, and what becomes
// of both. Everything that it knows is in Agent::state, where the API reads it.
//
// The life of a task: pending (its launch is being checked) → queued (its executor is not ready) →
// launched → terminated (its last update is not acknowledged yet) → completed.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "agent/meta/paths.h"
#include "agent/meta/recovered.h"
#include "agent/tasks/event_stream.h"
#include "agent/tasks/executor_control.h"
#include "agent/tasks/update_streams.h"
#include "base/own_frame.h"
#include "base/scope.h"
#include "proto/ids.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// What the tasks need of the rest of the agent.
struct TaskServices {
  // Posts to the master. False: the agent is not registered, nothing was sent.
  std::function<bool(const google::protobuf::Message&)> to_master;

  // Posts to a process: the scheduler or executor of a driver. What cannot be sent is lost.
  std::function<void(const std::string& pid, const google::protobuf::Message&)> to_process;

  // Whether all these resources are the agent's, as far as they are reserved dynamically or
  // persistent volumes.
  std::function<bool(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>&)> has_resources;

  // Waits for what may still make such resources: operations that have come before.
  std::function<base::Task<void>()> operations_settled;

  // The version of the agent's own resources that offers are based on: 16 bytes.
  std::string resource_version;
};

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
  // refused is one too many: more of that executor wait than the agent keeps (update_room.cpp).
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
  using Status = mesos::v1::TaskStatus;
  using Update = mesos::internal::StatusUpdate;

  struct ExecutorKey {
    std::string framework;
    std::string executor;
    auto operator<=>(const ExecutorKey&) const = default;
  };

  using TaskKey = std::pair<std::string, std::string>;  // framework, task

  // One message of the master.
  struct Launch {
    mesos::v1::ExecutorInfo executor;
    bool is_command_executor = false;
    std::vector<mesos::v1::TaskInfo> tasks;
    bool is_group = false;
    std::optional<bool> launch_executor;  // whether there must not be one; absent: either will do
    std::vector<mesos::internal::ResourceVersionUUID> versions;
  };

  // Why tasks are not launched.
  struct Refusal {
    Status::Reason reason;
    std::string message;
    std::optional<mesos::v1::TaskState> state = {};  // else TASK_DROPPED, or TASK_LOST
  };

  // launch.cpp: from a master's message to the executor's queue.
  void accept(const mesos::v1::FrameworkInfo& info, const std::string& pid, Launch launch);
  base::Task<void> run_launches(ExecutorKey key);
  base::Task<void> run_launch(ExecutorKey key, const Launch& launch);
  std::optional<Refusal> check_launch(const Framework& framework, const Launch& launch) const;
  std::optional<Refusal> check_resources(const Launch& launch) const;
  bool knows_resources_of(const Launch& launch) const;
  std::optional<Refusal> check_volumes(const Executor* executor, const Launch& launch) const;
  void refuse(Framework& framework, const Launch& launch, const Refusal& refusal);
  void owe_exit(const Launch& launch, const std::string& framework);
  base::Task<base::Status> make_sandbox(const Framework& framework, const Executor& executor);
  void queue(Framework& framework, Executor& executor, const Launch& launch);
  void deliver(Framework& framework, Executor& executor);
  void drop_groups(Framework& framework, Executor& executor);

  // executor_life.cpp: from an executor's container to the end of its tasks.
  Executor& add_executor(Framework& framework, Executor executor);
  // What the container of an executor is launched with; nullptr: it runs already. It is held until
  // then, and no longer.
  using ToLaunch = std::unique_ptr<containerizer::LaunchParameters>;
  ToLaunch launch_parameters(const Framework& framework, const Executor& executor) const;
  containerizer::Allocation allocation_of(const Executor& executor) const;
  base::Task<void> live(ExecutorKey key, ToLaunch launch, std::chrono::nanoseconds patience);
  base::Task<base::Result<containerizer::ContainerTermination>> run_container(
      const ExecutorKey& key, isolators::ContainerId id, ToLaunch launch);
  OWN_FRAME base::Task<bool> launch_container(const ExecutorKey& key, ToLaunch launch);
  base::Task<void> see_to_its_end(const ExecutorKey& key, ExecutorControl& control,
                                  std::chrono::nanoseconds patience);
  OWN_FRAME base::Task<void> see_to_its_start(const ExecutorKey& key, ExecutorControl& control,
                                              std::chrono::nanoseconds patience);
  void ended(const ExecutorKey& key,
             const base::Result<containerizer::ContainerTermination>& termination);
  void shut_down(Framework& framework, Executor& executor);
  void destroy(Executor& executor, EndCause cause);
  bool update_container(const Framework& framework, Executor& executor);
  void remove_if_done(Framework& framework, Executor& executor);

  // frameworks.cpp. What takes an executor or a framework out of the state is remove_if_done() and
  // remove_if_idle() only: references do not outlive them.
  Framework* find_framework(const std::string& id);
  Executor* find_executor(const ExecutorKey& key, Framework** framework = nullptr);
  Executor* find_executor_of_task(Framework& framework, const std::string& task);
  Framework& add_framework(const mesos::v1::FrameworkInfo& info, const std::string& pid);
  void remove_if_idle(Framework& framework);
  void archive(Framework framework);
  static void archive(Framework& framework, Executor executor);
  void shut_down(Framework& framework);

  // kill.cpp
  void kill(Framework& framework, const mesos::v1::TaskID& task,
            const std::optional<mesos::v1::KillPolicy>& policy);
  void kill_queued(Framework& framework, Executor& executor, const mesos::v1::TaskID& task);
  static bool has_nothing_to_do(const Executor& executor);
  void kill_all_for_drain();
  void end_drain_if_done();

  // connections.cpp
  void connect(Framework& framework, Executor& executor, std::unique_ptr<ExecutorLink> link);
  void drop_unknown(Framework& framework, const Executor& executor,
                    const google::protobuf::RepeatedPtrField<mesos::v1::TaskInfo>& known);

  // updates.cpp
  Update make_update(const Framework& framework, const mesos::v1::TaskID& task,
                     mesos::v1::TaskState state, Status::Reason reason, std::string message,
                     const mesos::v1::ExecutorID* executor = nullptr) const;
  static Update stamped(Update update, const mesos::v1::TaskID& task);
  static mesos::v1::TaskState dropped_state(const Framework& framework);
  static mesos::v1::TaskState gone_state(const Framework& framework);
  void drop_task(Framework& framework, const mesos::v1::TaskID& task, Status::Reason reason,
                 std::string message, const mesos::v1::ExecutorID* executor = nullptr);
  void take(Update update, bool from_executor, const std::string& sender = {});
  bool keep(const Update& update, bool from_executor);
  base::Task<void> keep_later(TaskKey key);
  base::Result<UpdateStreams::Added> add_to_stream(const Framework& framework,
                                                   const Executor* executor, const Update& update);
  Executor* find_executor_of(Framework& framework, const Update& update, bool from_executor);
  void complete_status(const Framework& framework, const Executor* executor, bool from_executor,
                       Update* update) const;
  static bool is_news(const Executor& executor, const Status& status);
  void apply(const Framework& framework, Executor& executor, const Status& status);
  void forward(const Update& head);
  void count(mesos::v1::TaskState state);

  // update_room.cpp
  base::Status report(Update update, const std::string& sender = {});
  base::Status check_room(const Framework& framework, const Executor* executor,
                          const Update& update);
  base::Status check_strangers(const Framework& framework, const Update& update);

  // registration.cpp
  void answer_unknown(const Framework& framework, const mesos::v1::TaskID& task);

  // checkpointing.cpp: what is written to disk of frameworks that ask for it. An error is logged.
  MetaPaths paths() const;
  static RunId run_of(const Framework& framework, const Executor& executor);
  void checkpoint_framework(const Framework& framework) const;
  void checkpoint_executor(const Framework& framework, const Executor& executor) const;
  void checkpoint_task(const Framework& framework, const Executor& executor,
                       const mesos::v1::TaskInfo& task) const;
  void checkpoint_link(const Framework& framework, const Executor& executor) const;
  void checkpoint_completed(const Framework& framework, const Executor& executor) const;
  std::optional<std::string> update_log(const Framework& framework, const Executor* executor,
                                        const std::string& task) const;

  // garbage.cpp: when directories are left to be collected, and when they are needed again.
  void discard_task(const Framework& framework, const Executor& executor, const std::string& task,
                    GarbageCollector::Age age) const;
  void discard_executor(const Framework& framework, const Executor& executor) const;
  void discard_framework(const Framework& framework, GarbageCollector::Age age) const;
  void unschedule_framework(const std::string& framework) const;
  base::Task<base::Status> reclaim(ExecutorKey key);
  base::Task<void> discard_leftovers(const RecoveredAgent& recovered);

  // recovery.cpp
  void recover_framework(const RecoveredFramework& recovered);
  void recover_executor(Framework& framework, const RecoveredExecutor& recovered);
  void destroy_strangers();
  void reconnect(const RecoveredAgent& recovered);
  void end_recovered(const RecoveredAgent& recovered);
  base::Task<void> executors_back(const std::vector<ExecutorKey>& waiting);

  Agent& agent_;
  State& state_;
  const TaskServices services_;
  UpdateStreams updates_;
  std::map<ExecutorKey, std::deque<Launch>> launches_;  // those whose turn comes, in order
  // Updates that could not be written yet, and whether they are an executor's.
  std::map<TaskKey, std::deque<std::pair<Update, bool>>> unwritten_;
  // Tasks of which executors report though the agent does not know them, by executor.
  std::map<ExecutorKey, std::set<std::string>> strangers_;
  base::Event framework_gone_;
  base::Scope scope_;  // last: ends before what its tasks use
};

}  // namespace agent
