#include "agent/tasks/status_updates.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "agent/meta/update_log.h"
#include "agent/tasks/executor_control.h"
#include "agent/tasks/task_lists.h"
#include "agent/tasks/task_status.h"
#include "base/combine.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using mesos::v1::TaskState;

namespace {

constexpr size_t kUuidBytes = 16;

// Of one task, that wait to be written.
constexpr size_t kUnwrittenUpdates = 100;

// What an executor can know of its task. The rest is for agents and masters to say; a master does
// not survive an agent that says it of itself.
bool is_reportable(TaskState state) {
  return state != mesos::v1::TASK_UNREACHABLE && state != mesos::v1::TASK_UNKNOWN;
}

}  // namespace

StatusUpdates::StatusUpdates(Agent& agent, Frameworks& frameworks, ExecutorContainers& containers,
                             const TaskCheckpoints& checkpoints, ToMaster to_master)
    : agent_(agent),
      state_(agent.state),
      frameworks_(frameworks),
      containers_(containers),
      checkpoints_(checkpoints),
      to_master_(std::move(to_master)),
      streams_([this](const Update& head) { forward(head); }),
      room_(streams_) {}

base::Status StatusUpdates::restore(const std::string& framework, const RecoveredTask& task) {
  return streams_.recover(framework, task.task.task_id().value(), task.log, task.updates,
                          task.acknowledged);
}

void StatusUpdates::framework_gone(const std::string& id, bool wanted) {
  // Else what was said of tasks that were never launched may still have to be said again.
  if (!wanted) drop_framework(id);
  room_.forget_framework(id);
}

// --- Updates of executors ---

base::Status StatusUpdates::report(const mesos::v1::executor::Call& call) {
  Update update;
  *update.mutable_framework_id() = call.framework_id();
  *update.mutable_executor_id() = call.executor_id();
  *update.mutable_status() = call.update().status();
  auto& status = *update.mutable_status();
  if (!status.has_agent_id()) *status.mutable_agent_id() = agent_.info.id();
  *update.mutable_slave_id() = status.agent_id();
  update.set_timestamp(status.has_timestamp() ? status.timestamp() : seconds_since_epoch());
  update.set_uuid(status.uuid());
  return report(std::move(update));
}

base::Status StatusUpdates::report(Update update, const std::string& sender) {
  Framework* framework = frameworks_.find(update.framework_id().value());
  if (framework != nullptr && !framework->terminating) {
    const Executor* executor = find_executor_of(*framework, update, true);
    if (auto room = room_.check(*framework, executor, update); !room) {
      ++state_.counters.invalid_status_updates;
      LOG_EVERY_T(WARNING, 10) << "An update of executor '" << update.executor_id().value()
                               << "' is refused: " << room.error().message;
      return room;
    }
  }
  take(std::move(update), true, sender);
  return {};
}

// --- The way of all updates ---

void StatusUpdates::take(Update update, bool from_executor, const std::string& sender) {
  auto& status = *update.mutable_status();
  Framework* framework = frameworks_.find(update.framework_id().value());
  const bool is_ours = update.slave_id() == agent_.info.id() &&
                       (!status.has_agent_id() || status.agent_id() == agent_.info.id());
  if (update.uuid().size() != kUuidBytes || !is_ours || framework == nullptr ||
      framework->terminating || (from_executor && !is_reportable(status.state()))) {
    ++state_.counters.invalid_status_updates;
    LOG(WARNING) << "Ignoring " << TaskState_Name(status.state()) << " of task '"
                 << status.task_id().value() << "' of framework " << update.framework_id().value();
    return;
  }
  Executor* executor = find_executor_of(*framework, update, from_executor);
  if (executor != nullptr && from_executor && status.state() == mesos::v1::TASK_STAGING) {
    LOG(WARNING) << "Executor '" << update.executor_id().value()
                 << "' has sent TASK_STAGING, which none may";
    shut_down(*framework, *executor);
    return;
  }
  if (executor != nullptr && !sender.empty() && executor->control->link != nullptr &&
      executor->control->link->pid() != sender) {
    LOG(WARNING) << "An update of executor '" << update.executor_id().value() << "' comes from "
                 << sender;
  }
  ++state_.counters.valid_status_updates;
  complete_status(*framework, executor, from_executor, &update);

  TaskKey key{framework->info.id().value(), status.task_id().value()};
  const auto unwritten = unwritten_.find(key);
  if (unwritten == unwritten_.end() && keep(update, from_executor)) return;
  auto& waiting = unwritten_[key];
  if (waiting.size() == kUnwrittenUpdates) return;  // the executor has it, and may bring it again
  waiting.emplace_back(std::move(update), from_executor);
  if (waiting.size() == 1) scope_.spawn(keep_later(std::move(key)));
}

// The executor that has the task; of an executor's update also one that is done with it.
Executor* StatusUpdates::find_executor_of(Framework& framework, const Update& update,
                                          bool from_executor) {
  const auto& task = update.status().task_id();
  Executor* executor = Frameworks::find_executor_of_task(framework, task);
  if (executor != nullptr || !from_executor) return executor;
  executor = frameworks_.find_executor({framework.info.id().value(), update.executor_id().value()});
  const bool done = executor != nullptr && has_task(executor->completed_tasks, task);
  const bool starts = update.status().state() == mesos::v1::TASK_STAGING;
  return done || starts ? executor : nullptr;
}

// Brings the update into its stream, and what it says into the state. False: it could not be
// written, so its executor must not be told that it was.
bool StatusUpdates::keep(const Update& update, bool from_executor) {
  Framework* framework = frameworks_.find(update.framework_id().value());
  if (framework == nullptr || framework->terminating) return true;  // nobody wants to hear of it
  const Status& status = update.status();
  Executor* executor = find_executor_of(*framework, update, from_executor);
  // The task has ended: the scheduler need not hear of it.
  const bool news = executor == nullptr || is_news(*executor, status);
  if (news) {
    // Written first: what the state says, the log knows.
    auto added = add_to_stream(*framework, executor, update);
    if (!added) {
      LOG_EVERY_T(ERROR, 10) << "Failed to keep " << TaskState_Name(status.state()) << " of task '"
                             << status.task_id().value() << "': " << added.error().message;
      return false;
    }
    if (executor != nullptr && *added == UpdateStreams::Added::kNew) {
      apply(*framework, *executor, status);
    }
  }
  if (from_executor && executor != nullptr && executor->control->link != nullptr) {
    executor->control->link->acknowledge(framework->info.id(), status.task_id(), update.uuid());
  }
  return true;
}

base::Result<UpdateStreams::Added> StatusUpdates::add_to_stream(const Framework& framework,
                                                                const Executor* executor,
                                                                const Update& update) {
  const std::string& task = update.status().task_id().value();
  const auto log = checkpoints_.update_log(framework, executor, task);
  auto added = streams_.add(update, log);
  if (added) return added;
  if (added.error().kind == base::ErrorKind::kConflict && log) {
    // What the agent has said before of a task of this id, when there was none.
    streams_.drop(framework.info.id().value(), task);
    return streams_.add(update, log);
  }
  if (added.error().kind == base::ErrorKind::kInvalid) {
    LOG(ERROR) << "The updates of task '" << task
               << "' cannot survive the agent any more: " << added.error().message;
    return streams_.add(update, std::nullopt);
  }
  return added;
}

// In their order, until all are written: an update that cannot be, for want of room, say, holds up
// those of its task that come after it, and nothing else.
base::Task<void> StatusUpdates::keep_later(TaskKey key) {
  for (auto at = unwritten_.find(key); at != unwritten_.end(); at = unwritten_.find(key)) {
    co_await base::sleep_for(std::chrono::seconds(1));
    auto& waiting = unwritten_.at(key);
    while (!waiting.empty() && keep(waiting.front().first, waiting.front().second)) {
      waiting.pop_front();
    }
    if (waiting.empty()) unwritten_.erase(key);
  }
}

void StatusUpdates::complete_status(const Framework& framework, const Executor* executor,
                                    bool from_executor, Update* update) const {
  Status& status = *update->mutable_status();
  status.set_uuid(update->uuid());
  status.set_source(from_executor ? Status::SOURCE_EXECUTOR : Status::SOURCE_AGENT);
  if (update->has_executor_id()) *status.mutable_executor_id() = update->executor_id();
  if (!status.has_agent_id()) *status.mutable_agent_id() = agent_.info.id();
  if (state_.drain_config &&
      (status.state() == mesos::v1::TASK_KILLING || status.state() == mesos::v1::TASK_KILLED)) {
    status.set_reason(Status::REASON_AGENT_DRAINING);
    if (status.state() == mesos::v1::TASK_KILLED && state_.drain_config->mark_gone() &&
        is_partition_aware(framework.info)) {
      status.set_state(mesos::v1::TASK_GONE_BY_OPERATOR);
    }
  }
  if (executor == nullptr || !has_task(executor->launched_tasks, status.task_id())) return;
  // The agent knows nothing of a container that has a task which it gives up.
  if (!from_executor &&
      (status.state() == mesos::v1::TASK_DROPPED || status.state() == mesos::v1::TASK_LOST)) {
    return;
  }
  auto id = executor->container_id;
  const bool nested = status.container_status().has_container_id();
  if (nested && isolators::validate_container_id(status.container_status().container_id())) {
    id = isolators::ContainerId::from_message(status.container_status().container_id());
  }
  const auto container = agent_.containers.find(id);
  if (container == nullptr) return;  // nothing is made up for one that has ended
  status.mutable_container_status()->MergeFrom(container->status());
  if (status.container_status().network_infos().empty()) {
    auto* info = status.mutable_container_status()->add_network_infos();
    info->add_ip_addresses()->set_ip_address(agent_.ip);
  }
}

// To a task that is_news().
void StatusUpdates::apply(const Framework& framework, Executor& executor, const Status& status) {
  const auto queued = find_task(executor.queued_tasks, status.task_id());
  if (queued != executor.queued_tasks.end()) {
    executor.launched_tasks.push_back(staging_task(*queued, framework.info.id()));
    executor.queued_tasks.erase(queued);
  }
  const auto task = find_task(executor.launched_tasks, status.task_id());
  add_status(status, *task);
  if (const Update* head = streams_.head(framework.info.id().value(), status.task_id().value())) {
    task->set_status_update_state(head->status().state());
    task->set_status_update_uuid(head->uuid());
  }
  if (!is_terminal(status.state())) return;
  count(status.state());
  // A command executor ends with its task. But others may be given its volumes as soon as they hear
  // of that.
  const bool has_volumes = std::ranges::any_of(
      task->resources(), [](const auto& resource) { return resource.disk().has_persistence(); });
  const bool goes_on =
      executor.state == Executor::State::kRunning && (!executor.is_command_executor || has_volumes);
  executor.terminated_tasks.push_back(std::move(*task));
  executor.launched_tasks.erase(task);
  if (goes_on) containers_.update(framework, executor);
}

void StatusUpdates::count(TaskState state) {
  switch (state) {
    case mesos::v1::TASK_FINISHED:
      ++state_.counters.tasks_finished;
      break;
    case mesos::v1::TASK_FAILED:
      ++state_.counters.tasks_failed;
      break;
    case mesos::v1::TASK_KILLED:
      ++state_.counters.tasks_killed;
      break;
    case mesos::v1::TASK_LOST:
      ++state_.counters.tasks_lost;
      break;
    case mesos::v1::TASK_GONE:
      ++state_.counters.tasks_gone;
      break;
    default:
      break;
  }
}

// --- To the master and back ---

void StatusUpdates::forward(const Update& head) {
  mesos::internal::StatusUpdateMessage message;
  *message.mutable_update() = head;
  Update& update = *message.mutable_update();
  // The task's own state follows when the stream has the update.
  const auto waiting =
      streams_.pending(head.framework_id().value(), head.status().task_id().value());
  update.set_latest_state(waiting.empty() ? head.status().state()
                                          : waiting.back().status().state());
  Framework* framework = frameworks_.find(head.framework_id().value());
  Executor* executor = framework == nullptr
                           ? nullptr
                           : Frameworks::find_executor_of_task(*framework, head.status().task_id());
  if (executor != nullptr) {
    for (auto* tasks : {&executor->launched_tasks, &executor->terminated_tasks}) {
      const auto task = find_task(*tasks, head.status().task_id());
      if (task == tasks->end()) continue;
      task->set_status_update_state(head.status().state());
      task->set_status_update_uuid(head.uuid());
    }
  }
  message.set_pid(concat("slave(1)@", agent_.ip, ":", agent_.info.port()));
  to_master_(message);
}

void StatusUpdates::acknowledge(
    const mesos::internal::StatusUpdateAcknowledgementMessage& message) {
  const std::string& framework_id = message.framework_id().value();
  const std::string& task_id = message.task_id().value();
  auto acknowledged = streams_.acknowledge(framework_id, task_id, message.uuid());
  if (!acknowledged) {
    LOG(WARNING) << "Ignoring an acknowledgement for task '" << task_id << "' of framework "
                 << framework_id << ": " << acknowledged.error().message;
    return;
  }
  if (!acknowledged->terminal) return;
  Framework* framework = frameworks_.find(framework_id);
  if (framework == nullptr) return;
  if (Executor* executor = Frameworks::find_executor_of_task(*framework, message.task_id())) {
    frameworks_.complete_task(*framework, *executor, message.task_id());
  }
  frameworks_.remove_if_idle(*framework);
}

}  // namespace agent
