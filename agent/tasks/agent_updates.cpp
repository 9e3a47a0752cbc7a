// Updates that the agent makes.

#include <glog/logging.h>

#include <vector>

#include "agent/tasks/executor_control.h"
#include "agent/tasks/status_updates.h"
#include "agent/tasks/task_lists.h"
#include "agent/tasks/task_status.h"
#include "base/strings.h"
#include "base/uuid.h"

namespace agent {

using base::concat;
using mesos::v1::ExecutorID;
using mesos::v1::TaskID;
using mesos::v1::TaskState;

namespace {

// The same update for a task, with a time and a uuid of its own.
StatusUpdates::Update stamped(StatusUpdates::Update update, const TaskID& task) {
  *update.mutable_status()->mutable_task_id() = task;
  update.set_timestamp(seconds_since_epoch());
  update.mutable_status()->set_timestamp(update.timestamp());
  update.set_uuid(base::make_uuid_bytes());
  return update;
}

// Whether it is one that has not ended, or whose end is not acknowledged.
bool knows_task(Framework& framework, const TaskID& task) {
  return has_task(framework.pending_tasks, task) ||
         Frameworks::find_executor_of_task(framework, task) != nullptr;
}

}  // namespace

StatusUpdates::Update StatusUpdates::make(const Framework& framework, const TaskID& task,
                                          TaskState state, Status::Reason reason,
                                          std::string message, const ExecutorID* executor) const {
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

void StatusUpdates::say(const Framework& framework, const TaskID& task, TaskState state,
                        Status::Reason reason, std::string message, const ExecutorID* executor) {
  take(make(framework, task, state, reason, std::move(message), executor), false);
}

void StatusUpdates::drop(const Framework& framework, const TaskID& task, Status::Reason reason,
                         std::string message, const ExecutorID* executor) {
  say(framework, task, dropped_state(framework.info), reason, std::move(message), executor);
}

void StatusUpdates::end_tasks(const Framework& framework, const Executor& executor,
                              const ExecutorContainers::Termination& termination) {
  const EndCause cause = executor.control->cause.value_or(EndCause());
  std::string message = cause.message;
  const auto add = [&message](const std::string& more) {
    if (!more.empty()) message += concat(message.empty() ? "" : "; ", more);
  };
  Update prototype =
      make(framework, {}, cause.state, cause.reason, {}, &executor.info.executor_id());
  auto& status = *prototype.mutable_status();
  if (!termination) {
    add(concat("Abnormal executor termination: ", termination.error().message));
  } else {
    add(termination->message());
    if (termination->has_state()) status.set_state(termination->state());
    if (termination->has_reason()) status.set_reason(termination->reason());
    if (termination->limited_resources_size() > 0) {
      *status.mutable_limitation()->mutable_resources() = termination->limited_resources();
    }
  }
  status.set_message(message.empty() ? "Executor terminated" : message);

  std::vector<TaskID> left;
  for (const auto& task : executor.launched_tasks) left.push_back(task.task_id());
  for (const auto& task : executor.queued_tasks) left.push_back(task.task_id());
  for (const auto& task : left) take(stamped(prototype, task), false);
}

void StatusUpdates::answer(const mesos::internal::SlaveReregisteredMessage& message) {
  for (const auto& asked : message.reconciliations()) {
    const std::string& id = asked.framework_id().value();
    Framework* framework = frameworks_.find(id);
    for (const auto& status : asked.statuses()) {
      if (framework != nullptr && knows_task(*framework, status.task_id())) continue;
      // Answered already, when an earlier of our tries to register got through as well.
      if (streams_.head(id, status.task_id().value()) != nullptr) continue;
      if (framework == nullptr) {
        // Whatever it was, it is not here; the answer needs no more of the framework than this.
        Framework stranger;
        stranger.info = asked.framework();
        *stranger.info.mutable_id() = asked.framework_id();
        answer_unknown(stranger, status.task_id());
      } else {
        answer_unknown(*framework, status.task_id());
      }
    }
  }
}

void StatusUpdates::answer_unknown(const Framework& framework, const TaskID& task) {
  Update update =
      make(framework, task, dropped_state(framework.info), Status::REASON_RECONCILIATION,
           "Reconciliation: task unknown to agent", nullptr);
  update.mutable_status()->set_uuid(update.uuid());
  update.mutable_status()->set_source(Status::SOURCE_AGENT);
  if (auto added = streams_.add(update, std::nullopt); !added) LOG(ERROR) << added.error().message;
}

}  // namespace agent
