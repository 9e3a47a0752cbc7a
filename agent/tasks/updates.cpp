// Status updates: from an executor, or from the agent itself, into the task's stream; from there to
// the master; and back the acknowledgement.

#include <glog/logging.h>

#include <algorithm>

#include "agent/meta/update_log.h"
#include "agent/tasks/task_status.h"
#include "agent/tasks/tasks.h"
#include "base/combine.h"
#include "base/strings.h"
#include "base/uuid.h"

namespace agent {

using base::concat;
using mesos::v1::TaskState;

namespace {

constexpr size_t kCompletedTasks = 200;
constexpr size_t kUuidBytes = 16;

// Of one task, that wait to be written.
constexpr size_t kUnwrittenUpdates = 100;

// What an executor can know of its task. The rest is for agents and masters to say; a master does
// not survive an agent that says it of itself.
bool is_reportable(TaskState state) {
  return state != mesos::v1::TASK_UNREACHABLE && state != mesos::v1::TASK_UNKNOWN;
}

double seconds_since_epoch() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

bool is_partition_aware(const Framework& framework) {
  using Capability = mesos::v1::FrameworkInfo::Capability;
  return std::ranges::any_of(framework.info.capabilities(), [](const auto& capability) {
    return capability.type() == Capability::PARTITION_AWARE;
  });
}

template <typename List>
auto find_task(List& tasks, const mesos::v1::TaskID& id) {
  return std::ranges::find_if(tasks, [&id](const auto& task) { return task.task_id() == id; });
}

}  // namespace

// --- Updates that the agent makes ---

Tasks::Update Tasks::make_update(const Framework& framework, const mesos::v1::TaskID& task,
                                 TaskState state, Status::Reason reason, std::string message,
                                 const mesos::v1::ExecutorID* executor) const {
  Update update;
  *update.mutable_framework_id() = framework.info.id();
  if (executor != nullptr) *update.mutable_executor_id() = *executor;
  *update.mutable_slave_id() = agent_.info.id();
  auto& status = *update.mutable_status();
  status.set_state(state);
  status.set_reason(reason);
  if (!message.empty()) status.set_message(std::move(message));
  *status.mutable_agent_id() = agent_.info.id();
  return stamped(std::move(update), task);
}

// The same update for a task, with a time and a uuid of its own.
Tasks::Update Tasks::stamped(Update update, const mesos::v1::TaskID& task) {
  *update.mutable_status()->mutable_task_id() = task;
  update.set_timestamp(seconds_since_epoch());
  update.mutable_status()->set_timestamp(update.timestamp());
  update.set_uuid(base::make_uuid_bytes());
  return update;
}

TaskState Tasks::dropped_state(const Framework& framework) {
  return is_partition_aware(framework) ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST;
}

TaskState Tasks::gone_state(const Framework& framework) {
  return is_partition_aware(framework) ? mesos::v1::TASK_GONE : mesos::v1::TASK_LOST;
}

void Tasks::drop_task(Framework& framework, const mesos::v1::TaskID& task, Status::Reason reason,
                      std::string message, const mesos::v1::ExecutorID* executor) {
  take(make_update(framework, task, dropped_state(framework), reason, std::move(message), executor),
       false);
}

// --- Updates of executors ---

base::Status Tasks::update(const mesos::v1::executor::Call& call) {
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

void Tasks::update_from_driver(const std::string& from,
                               const mesos::internal::StatusUpdateMessage& message) {
  (void)report(message.update(), from);  // what is refused is not acknowledged
}

// --- The way of all updates ---

void Tasks::take(Update update, bool from_executor, const std::string& sender) {
  auto& status = *update.mutable_status();
  Framework* framework = find_framework(update.framework_id().value());
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
Executor* Tasks::find_executor_of(Framework& framework, const Update& update, bool from_executor) {
  const auto& task = update.status().task_id();
  Executor* executor = find_executor_of_task(framework, task.value());
  if (executor != nullptr || !from_executor) return executor;
  executor = find_executor({framework.info.id().value(), update.executor_id().value()});
  const bool done = executor != nullptr &&
                    find_task(executor->completed_tasks, task) != executor->completed_tasks.end();
  const bool starts = update.status().state() == mesos::v1::TASK_STAGING;
  return done || starts ? executor : nullptr;
}

// Brings the update into its stream, and what it says into the state. False: it could not be
// written, so its executor must not be told that it was.
bool Tasks::keep(const Update& update, bool from_executor) {
  Framework* framework = find_framework(update.framework_id().value());
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

base::Result<UpdateStreams::Added> Tasks::add_to_stream(const Framework& framework,
                                                        const Executor* executor,
                                                        const Update& update) {
  const std::string& task = update.status().task_id().value();
  const auto log = update_log(framework, executor, task);
  auto added = updates_.add(update, log);
  if (added) return added;
  if (added.error().kind == base::ErrorKind::kConflict && log) {
    // What the agent has said before of a task of this id, when there was none.
    updates_.drop(framework.info.id().value(), task);
    return updates_.add(update, log);
  }
  if (added.error().kind == base::ErrorKind::kInvalid) {
    LOG(ERROR) << "The updates of task '" << task
               << "' cannot survive the agent any more: " << added.error().message;
    return updates_.add(update, std::nullopt);
  }
  return added;
}

// In their order, until all are written: an update that cannot be, for want of room, say, holds up
// those of its task that come after it, and nothing else.
base::Task<void> Tasks::keep_later(TaskKey key) {
  for (auto at = unwritten_.find(key); at != unwritten_.end(); at = unwritten_.find(key)) {
    co_await base::sleep_for(std::chrono::seconds(1));
    auto& waiting = unwritten_.at(key);
    while (!waiting.empty() && keep(waiting.front().first, waiting.front().second)) {
      waiting.pop_front();
    }
    if (waiting.empty()) unwritten_.erase(key);
  }
}

void Tasks::complete_status(const Framework& framework, const Executor* executor,
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
        is_partition_aware(framework)) {
      status.set_state(mesos::v1::TASK_GONE_BY_OPERATOR);
    }
  }
  if (executor == nullptr ||
      find_task(executor->launched_tasks, status.task_id()) == executor->launched_tasks.end()) {
    return;
  }
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

bool Tasks::is_news(const Executor& executor, const Status& status) {
  return find_task(executor.launched_tasks, status.task_id()) != executor.launched_tasks.end() ||
         (is_terminal(status.state()) &&
          find_task(executor.queued_tasks, status.task_id()) != executor.queued_tasks.end());
}

// To a task that is_news().
void Tasks::apply(const Framework& framework, Executor& executor, const Status& status) {
  const auto queued = find_task(executor.queued_tasks, status.task_id());
  if (queued != executor.queued_tasks.end()) {
    executor.launched_tasks.push_back(staging_task(*queued, framework.info.id()));
    executor.queued_tasks.erase(queued);
  }
  const auto task = find_task(executor.launched_tasks, status.task_id());
  add_status(status, *task);
  if (const Update* head = updates_.head(framework.info.id().value(), status.task_id().value())) {
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
  if (goes_on) update_container(framework, executor);
}

void Tasks::count(TaskState state) {
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

void Tasks::forward(const Update& head) {
  mesos::internal::StatusUpdateMessage message;
  *message.mutable_update() = head;
  Update& update = *message.mutable_update();
  // The task's own state follows when the stream has the update.
  const auto waiting =
      updates_.pending(head.framework_id().value(), head.status().task_id().value());
  update.set_latest_state(waiting.empty() ? head.status().state()
                                          : waiting.back().status().state());
  Framework* framework = find_framework(head.framework_id().value());
  Executor* executor = framework == nullptr
                           ? nullptr
                           : find_executor_of_task(*framework, head.status().task_id().value());
  if (executor != nullptr) {
    for (auto* tasks : {&executor->launched_tasks, &executor->terminated_tasks}) {
      const auto task = find_task(*tasks, head.status().task_id());
      if (task == tasks->end()) continue;
      task->set_status_update_state(head.status().state());
      task->set_status_update_uuid(head.uuid());
    }
  }
  message.set_pid(concat("slave(1)@", agent_.ip, ":", agent_.info.port()));
  services_.to_master(message);
}

void Tasks::acknowledge(const mesos::internal::StatusUpdateAcknowledgementMessage& message) {
  const std::string& framework_id = message.framework_id().value();
  const std::string& task_id = message.task_id().value();
  auto acknowledged = updates_.acknowledge(framework_id, task_id, message.uuid());
  if (!acknowledged) {
    LOG(WARNING) << "Ignoring an acknowledgement for task '" << task_id << "' of framework "
                 << framework_id << ": " << acknowledged.error().message;
    return;
  }
  if (!acknowledged->terminal) return;
  Framework* framework = find_framework(framework_id);
  if (framework == nullptr) return;
  if (Executor* executor = find_executor_of_task(*framework, task_id)) {
    const auto task = find_task(executor->terminated_tasks, message.task_id());
    if (task != executor->terminated_tasks.end()) {
      discard_task(*framework, *executor, task_id, GarbageCollector::Age::kFromNow);
      executor->completed_tasks.push_back(std::move(*task));
      executor->terminated_tasks.erase(task);
      if (executor->completed_tasks.size() > kCompletedTasks) executor->completed_tasks.pop_front();
    }
    remove_if_done(*framework, *executor);
  }
  remove_if_idle(*framework);
}

}  // namespace agent
