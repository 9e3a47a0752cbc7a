// Kills: of one task, or of all of them when the agent is being drained.

#include <glog/logging.h>

#include <algorithm>

#include "agent/meta/checkpoints.h"
#include "agent/tasks/tasks.h"
#include "base/strings.h"

namespace agent {

using mesos::v1::KillPolicy;
using mesos::v1::TaskID;

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

bool has_task(const auto& tasks, const TaskID& id) {
  return std::ranges::any_of(tasks, [&id](const auto& task) { return task.task_id() == id; });
}

// A task that was sent to the executor at any time: what it does not know of does not count.
bool ever_had_a_task(const Executor& executor) {
  const auto reported = [](const mesos::v1::Task& task) {
    return std::ranges::any_of(task.statuses(), [](const auto& status) {
      return status.source() == mesos::v1::TaskStatus::SOURCE_EXECUTOR;
    });
  };
  return !executor.launched_tasks.empty() ||
         std::ranges::any_of(executor.terminated_tasks, reported) ||
         std::ranges::any_of(executor.completed_tasks, reported);
}

}  // namespace

void Tasks::kill_task(const mesos::internal::KillTaskMessage& message) {
  Framework* framework = find_framework(message.framework_id().value());
  if (framework == nullptr || framework->terminating) {
    LOG(WARNING) << "Ignoring the kill of task '" << message.task_id().value() << "' of framework "
                 << message.framework_id().value() << ", which "
                 << (framework == nullptr ? "has nothing here" : "is ending");
    return;
  }
  std::optional<KillPolicy> policy;
  if (message.has_kill_policy()) policy = message.kill_policy();
  kill(*framework, message.task_id(), policy);
  if (Framework* still = find_framework(message.framework_id().value())) remove_if_idle(*still);
}

void Tasks::kill(Framework& framework, const TaskID& task,
                 const std::optional<KillPolicy>& policy) {
  if (has_task(framework.pending_tasks, task)) {
    const auto killed = killed_together(framework.pending_groups, task);
    take_out(killed, framework.pending_tasks, framework.pending_groups);
    for (const auto& each : killed) {
      take(make_update(framework, each, mesos::v1::TASK_KILLED,
                       Status::REASON_TASK_KILLED_DURING_LAUNCH, "Killed before it was launched"),
           false);
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
    drop_task(framework, task, Status::REASON_EXECUTOR_TERMINATED, "Cannot find executor");
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

void Tasks::kill_queued(Framework& framework, Executor& executor, const TaskID& task) {
  const auto killed = killed_together(executor.queued_groups, task);
  for (const auto& each : killed) {
    take(make_update(framework, each, mesos::v1::TASK_KILLED,
                     Status::REASON_TASK_KILLED_DURING_LAUNCH,
                     "Killed before delivery to the executor", &executor.info.executor_id()),
         false);
  }
  take_out(killed, executor.queued_tasks, executor.queued_groups);
  if (executor.state == Executor::State::kRunning && has_nothing_to_do(executor)) {
    shut_down(framework, executor);
  }
}

bool Tasks::has_nothing_to_do(const Executor& executor) {
  return executor.queued_tasks.empty() && !ever_had_a_task(executor);
}

// --- Draining ---

void Tasks::drain(const mesos::internal::DrainSlaveMessage& message) {
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
  if (auto kept = checkpoint_drain(paths(), message.config()); !kept) {
    LOG(ERROR) << kept.error().message;
  }
  kill_all_for_drain();
}

// The time that a task has is its own, but not more than the operator gives.
void Tasks::kill_all_for_drain() {
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
                               find_executor_of_task(framework, task.value()) != nullptr;
      if (still_there) kill(framework, task, policy);
    }
    remove_if_idle(framework);
  }
}

void Tasks::operations_changed(const mesos::internal::UpdateSlaveMessage::Operations& operations) {
  state_.operations.assign(operations.operations().begin(), operations.operations().end());
  end_drain_if_done();
}

void Tasks::end_drain_if_done() {
  if (!state_.drain_config || !state_.frameworks.empty() || !state_.operations.empty()) return;
  LOG(INFO) << "Drained";
  state_.drain_config.reset();
  state_.estimated_drain_start_time.reset();
  if (auto removed = remove_drain(paths()); !removed) LOG(ERROR) << removed.error().message;
}

}  // namespace agent
