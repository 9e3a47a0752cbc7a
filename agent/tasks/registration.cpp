// What a master that the agent comes to, or comes back to, is told of its tasks.

#include <utility>

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

}  // namespace

void Tasks::describe_for(mesos::internal::ReregisterSlaveMessage* message) const {
  for (const auto& [framework_id, framework] : agent_.state.frameworks) {
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
  for (const auto& framework : agent_.state.completed_frameworks) add_archived(framework, message);
}

}  // namespace agent
