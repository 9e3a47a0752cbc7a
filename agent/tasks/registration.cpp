// What a master that the agent comes to, or comes back to, is told of its tasks.

#include <glog/logging.h>

#include "agent/resource_format.h"
#include "agent/tasks/tasks.h"

namespace agent {

namespace {

void add_task(mesos::v1::Task task, mesos::internal::ReregisterSlaveMessage* message) {
  *message->add_tasks() = std::move(task);
}

void add_archived(const Framework& framework, mesos::internal::ReregisterSlaveMessage* message) {
  auto& archived = *message->add_completed_frameworks();
  *archived.mutable_framework_info() = framework.info;
  if (!framework.pid.empty()) archived.set_pid(framework.pid);
  for (const auto& executor : framework.completed_executors) {
    for (const auto& task : executor.terminated_tasks) *archived.add_tasks() = task;
    for (const auto& task : executor.completed_tasks) *archived.add_tasks() = task;
  }
}

bool knows_task(const Framework& framework, const std::string& id) {
  const auto has = [&id](const auto& tasks) {
    for (const auto& task : tasks) {
      if (task.task_id().value() == id) return true;
    }
    return false;
  };
  if (has(framework.pending_tasks)) return true;
  for (const auto& [executor_id, executor] : framework.executors) {
    if (has(executor.queued_tasks) || has(executor.launched_tasks) ||
        has(executor.terminated_tasks)) {
      return true;
    }
  }
  return false;
}

}  // namespace

void Tasks::describe_for(mesos::internal::ReregisterSlaveMessage* message) const {
  for (const auto& [framework_id, framework] : state_.frameworks) {
    *message->add_frameworks() = framework.info;
    for (const auto& task : framework.pending_tasks) {
      add_task(staging_task(task, framework.info.id()), message);
    }
    for (const auto& [executor_id, executor] : framework.executors) {
      for (const auto& task : executor.queued_tasks) {
        add_task(staging_task(task, framework.info.id()), message);
      }
      for (const auto& task : executor.launched_tasks) add_task(task, message);
      for (const auto& task : executor.terminated_tasks) add_task(task, message);
      // A master refuses tasks that run without their executor.
      const bool ended =
          executor.state == Executor::State::kTerminated && executor.launched_tasks.empty();
      if (executor.is_command_executor || ended) continue;
      auto& info = *message->add_executor_infos();
      info = executor.info;
      *info.mutable_framework_id() = framework.info.id();
    }
  }
  for (const auto& framework : state_.completed_frameworks) add_archived(framework, message);
}

void Tasks::registered() { updates_.resume(); }

void Tasks::disconnected() { updates_.pause(); }

void Tasks::reregistered(const mesos::internal::SlaveReregisteredMessage& message) {
  for (const auto& asked : message.reconciliations()) {
    const std::string& id = asked.framework_id().value();
    Framework* framework = find_framework(id);
    for (const auto& status : asked.statuses()) {
      if (framework != nullptr && knows_task(*framework, status.task_id().value())) continue;
      // Answered already, when an earlier of our tries to register got through as well.
      if (updates_.head(id, status.task_id().value()) != nullptr) continue;
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

void Tasks::answer_unknown(const Framework& framework, const mesos::v1::TaskID& task) {
  Update update =
      make_update(framework, task, dropped_state(framework), Status::REASON_RECONCILIATION,
                  "Reconciliation: task unknown to agent");
  update.mutable_status()->set_uuid(update.uuid());
  update.mutable_status()->set_source(Status::SOURCE_AGENT);
  if (auto added = updates_.add(update, std::nullopt); !added) LOG(ERROR) << added.error().message;
}

}  // namespace agent
