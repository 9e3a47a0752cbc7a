#include "agent/tasks/task_delivery.h"

#include <algorithm>
#include <utility>

#include "agent/tasks/executor_control.h"
#include "agent/tasks/task_lists.h"

namespace agent {

using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;

namespace {

// A task that was sent to the executor at any time: what it does not know of does not count.
bool ever_had_a_task(const Executor& executor) {
  const auto reported = [](const mesos::v1::Task& task) {
    return std::ranges::any_of(task.statuses(), [](const auto& status) {
      return status.source() == TaskStatus::SOURCE_EXECUTOR;
    });
  };
  return !executor.launched_tasks.empty() ||
         std::ranges::any_of(executor.terminated_tasks, reported) ||
         std::ranges::any_of(executor.completed_tasks, reported);
}

}  // namespace

bool has_nothing_to_do(const Executor& executor) {
  return executor.queued_tasks.empty() && !ever_had_a_task(executor);
}

void TaskDelivery::queue(const Framework& framework, Executor& executor,
                         const std::vector<TaskInfo>& tasks, bool is_group) {
  if (executor.state == Executor::State::kTerminating ||
      executor.state == Executor::State::kTerminated) {
    for (const auto& task : tasks) {
      updates_.drop(framework, task.task_id(), TaskStatus::REASON_EXECUTOR_TERMINATED,
                    "The executor is terminating or terminated");
    }
    return;
  }
  for (const auto& task : tasks) checkpoints_.write_task(framework, executor, task);
  executor.queued_tasks.insert(executor.queued_tasks.end(), tasks.begin(), tasks.end());
  if (is_group) {
    auto& group = executor.queued_groups.emplace_back();
    group.mutable_tasks()->Add(tasks.begin(), tasks.end());
  }
  if (executor.state == Executor::State::kRunning) deliver(framework, executor);
}

void TaskDelivery::drop_groups(const Framework& framework, Executor& executor) {
  for (const auto& group : std::exchange(executor.queued_groups, {})) {
    for (const auto& task : group.tasks()) {
      updates_.drop(framework, task.task_id(), TaskStatus::REASON_TASK_INVALID,
                    "Executors made with the driver cannot run task groups",
                    &executor.info.executor_id());
    }
  }
}

// Single tasks first, then groups, each in their order.
void TaskDelivery::deliver(const Framework& framework, Executor& executor) {
  if (executor.state != Executor::State::kRunning) return;
  if (!executor.control->link->takes_groups()) drop_groups(framework, executor);
  if (!containers_.update(framework, executor)) return;
  auto queued = std::exchange(executor.queued_tasks, {});
  const auto groups = std::exchange(executor.queued_groups, {});
  for (const auto& task : queued) {
    executor.launched_tasks.push_back(staging_task(task, framework.info.id()));
  }
  const auto in_group = [&groups](const TaskInfo& task) {
    return std::ranges::any_of(
        groups, [&task](const auto& group) { return has_task(group.tasks(), task.task_id()); });
  };
  for (const auto& task : queued) {
    if (!in_group(task)) executor.control->link->launch(framework, task);
  }
  for (const auto& group : groups) executor.control->link->launch_group(group);
}

}  // namespace agent
