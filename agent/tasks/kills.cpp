#include "agent/tasks/kills.h"

#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "agent/tasks/executor_control.h"
#include "agent/tasks/task_delivery.h"
#include "agent/tasks/task_lists.h"

namespace agent {

using mesos::v1::KillPolicy;
using mesos::v1::TaskID;
using mesos::v1::TaskStatus;

namespace {

// The members of the task's group, or the task alone, in their order.
std::vector<TaskID> killed_together(const std::vector<mesos::v1::TaskGroupInfo>& groups,
                                    const TaskID& task) {
  for (const auto& group : groups) {
    std::vector<TaskID> members;
    for (const auto& member : group.tasks()) members.push_back(member.task_id());
    if (std::ranges::find(members, task) != members.end()) return members;
  }
  return {task};
}

// Takes them out of both lists.
void take_out(const std::vector<TaskID>& killed, std::vector<mesos::v1::TaskInfo>& tasks,
              std::vector<mesos::v1::TaskGroupInfo>& groups) {
  std::erase_if(tasks, [&killed](const auto& task) {
    return std::ranges::find(killed, task.task_id()) != killed.end();
  });
  std::erase_if(groups, [&killed](const auto& group) {
    return std::ranges::find(killed, group.tasks(0).task_id()) != killed.end();
  });
}

}  // namespace

void Kills::kill_task(const mesos::internal::KillTaskMessage& message) {
  Framework* framework = frameworks_.find(message.framework_id().value());
  if (framework == nullptr || framework->terminating) {
    LOG(WARNING) << "Ignoring the kill of task '" << message.task_id().value() << "' of framework "
                 << message.framework_id().value() << ", which "
                 << (framework == nullptr ? "has nothing here" : "is ending");
    return;
  }
  std::optional<KillPolicy> policy;
  if (message.has_kill_policy()) policy = message.kill_policy();
  kill(*framework, message.task_id(), policy);
  if (Framework* still = frameworks_.find(message.framework_id().value()))
    frameworks_.remove_if_idle(*still);
}

void Kills::kill(Framework& framework, const TaskID& task,
                 const std::optional<KillPolicy>& policy) {
  if (has_task(framework.pending_tasks, task)) {
    const auto killed = killed_together(framework.pending_groups, task);
    take_out(killed, framework.pending_tasks, framework.pending_groups);
    for (const auto& each : killed) {
      updates_.say(framework, each, mesos::v1::TASK_KILLED,
                   TaskStatus::REASON_TASK_KILLED_DURING_LAUNCH, "Killed before it was launched");
    }
    return;
  }
  Executor* executor = nullptr;
  for (auto& [id, candidate] : framework.executors) {
    if (has_task(candidate.queued_tasks, task) || has_task(candidate.launched_tasks, task)) {
      executor = &candidate;
    }
  }
  if (executor == nullptr) {
    updates_.drop(framework, task, TaskStatus::REASON_EXECUTOR_TERMINATED, "Cannot find executor");
    return;
  }
  if (executor->state != Executor::State::kRegistering &&
      executor->state != Executor::State::kRunning) {
    LOG(WARNING) << "Ignoring the kill of task '" << task.value() << "': its executor is ending";
    return;
  }
  if (has_task(executor->queued_tasks, task)) {
    kill_queued(framework, *executor, task);
  } else if (executor->control->link != nullptr) {
    executor->control->link->kill(framework.info.id(), task, policy);
  }
}

void Kills::kill_queued(Framework& framework, Executor& executor, const TaskID& task) {
  const auto killed = killed_together(executor.queued_groups, task);
  for (const auto& each : killed) {
    updates_.say(framework, each, mesos::v1::TASK_KILLED,
                 TaskStatus::REASON_TASK_KILLED_DURING_LAUNCH,
                 "Killed before delivery to the executor", &executor.info.executor_id());
  }
  take_out(killed, executor.queued_tasks, executor.queued_groups);
  if (executor.state == Executor::State::kRunning && has_nothing_to_do(executor)) {
    shut_down(framework, executor);
  }
}

// --- Draining ---

void Kills::drain(const mesos::internal::DrainSlaveMessage& message) {
  if (state_.frameworks.empty() && state_.operations.empty()) {
    LOG(INFO) << "Asked to drain, and there is nothing to be drained";
    end_drain_if_done();
    return;
  }
  LOG(INFO) << "Draining: all tasks are killed, and no others launched";
  state_.drain_config = message.config();
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  state_.estimated_drain_start_time.emplace();
  state_.estimated_drain_start_time->set_nanoseconds(
      std::chrono::duration_cast<std::chrono::nanoseconds>(now).count());
  checkpoints_.write_drain(message.config());
  kill_all_for_drain();
}

// The time that a task has is its own, but not more than the operator gives.
void Kills::kill_all_for_drain() {
  const auto policy_for = [this](const KillPolicy& own) -> std::optional<KillPolicy> {
    if (!state_.drain_config->has_max_grace_period()) return std::nullopt;
    const auto& most = state_.drain_config->max_grace_period();
    if (own.has_grace_period() && own.grace_period().nanoseconds() <= most.nanoseconds()) {
      return std::nullopt;
    }
    KillPolicy policy;
    *policy.mutable_grace_period() = most;
    return policy;
  };
  std::vector<std::string> frameworks;
  for (const auto& [id, framework] : state_.frameworks) frameworks.push_back(id);
  for (const auto& id : frameworks) {
    Framework& framework = state_.frameworks.at(id);
    if (framework.terminating) continue;
    std::vector<std::pair<TaskID, std::optional<KillPolicy>>> kills;
    const auto add = [&](const auto& tasks) {
      for (const auto& task : tasks)
        kills.emplace_back(task.task_id(), policy_for(task.kill_policy()));
    };
    add(framework.pending_tasks);
    for (const auto& [executor_id, executor] : framework.executors) add(executor.launched_tasks);
    for (const auto& [executor_id, executor] : framework.executors) add(executor.queued_tasks);
    for (const auto& [task, policy] : kills) {
      const bool still_there = has_task(framework.pending_tasks, task) ||
                               Frameworks::find_executor_of_task(framework, task) != nullptr;
      if (still_there) kill(framework, task, policy);
    }
    frameworks_.remove_if_idle(framework);
  }
}

void Kills::end_drain_if_done() {
  if (!state_.drain_config || !state_.frameworks.empty() || !state_.operations.empty()) return;
  LOG(INFO) << "Drained";
  state_.drain_config.reset();
  state_.estimated_drain_start_time.reset();
  checkpoints_.remove_drain();
}

}  // namespace agent
