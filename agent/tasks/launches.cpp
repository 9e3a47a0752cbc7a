#include "agent/tasks/launches.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "agent/meta/paths.h"
#include "agent/tasks/command_executor.h"
#include "agent/tasks/executor_control.h"
#include "agent/tasks/reservations.h"
#include "agent/tasks/task_lists.h"
#include "base/strings.h"
#include "base/uuid.h"

namespace agent {

using base::concat;
using base::Task;
using mesos::v1::FrameworkInfo;
using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;

namespace {

// The ids become names of directories.
base::Status check_ids(const FrameworkInfo& framework, const mesos::v1::ExecutorInfo& executor,
                       const std::vector<TaskInfo>& tasks) {
  TRY_VOID(check_path_id(framework.id().value()));
  TRY_VOID(check_path_id(executor.executor_id().value()));
  for (const auto& task : tasks) TRY_VOID(check_path_id(task.task_id().value()));
  return {};
}

// Takes the tasks out of those that wait. False: some were killed meanwhile.
bool take_pending(Framework& framework, const std::vector<TaskInfo>& tasks) {
  auto& pending = framework.pending_tasks;
  for (const auto& task : tasks) {
    if (!has_task(pending, task.task_id())) return false;
  }
  for (const auto& task : tasks) pending.erase(find_task(pending, task.task_id()));
  std::erase_if(framework.pending_groups, [&tasks](const auto& group) {
    return group.tasks(0).task_id() == tasks.front().task_id();
  });
  return true;
}

}  // namespace

Launches::Launches(Agent& agent, const TaskServices& services, Frameworks& frameworks,
                   ExecutorContainers& containers, StatusUpdates& updates, TaskDelivery& delivery)
    : agent_(agent),
      state_(agent.state),
      services_(services),
      frameworks_(frameworks),
      containers_(containers),
      updates_(updates),
      delivery_(delivery) {}

void Launches::run_task(const mesos::internal::RunTaskMessage& message) {
  Launch launch;
  launch.tasks = {message.task()};
  if (message.has_launch_executor()) launch.launch_executor = message.launch_executor();
  launch.versions.assign(message.resource_version_uuids().begin(),
                         message.resource_version_uuids().end());
  launch.is_command_executor = !message.task().has_executor();
  if (launch.is_command_executor != message.task().has_command()) {
    LOG(ERROR) << "Ignoring task '" << message.task().task_id().value()
               << "': it must have either a command or an executor";
    return;
  }
  launch.executor = launch.is_command_executor
                        ? make_command_executor(agent_.flags, message.framework(), message.task())
                        : message.task().executor();
  accept(message.framework(), message.pid(), std::move(launch));
}

void Launches::run_task_group(const mesos::internal::RunTaskGroupMessage& message) {
  if (message.task_group().tasks().empty()) return;
  Launch launch;
  launch.tasks.assign(message.task_group().tasks().begin(), message.task_group().tasks().end());
  launch.is_group = true;
  if (message.has_launch_executor()) launch.launch_executor = message.launch_executor();
  launch.versions.assign(message.resource_version_uuids().begin(),
                         message.resource_version_uuids().end());
  launch.executor = message.executor();
  accept(message.framework(), {}, std::move(launch));
}

void Launches::accept(const FrameworkInfo& info, const std::string& pid, Launch launch) {
  if (state_.recovering || state_.terminating || !agent_.info.has_id()) {
    LOG(WARNING) << "Ignoring tasks " << describe(launch) << ": the agent is "
                 << (state_.terminating ? "ending" : "not ready");
    return;
  }
  for (const auto& task : launch.tasks) {
    if (task.agent_id() == agent_.info.id()) continue;
    LOG(WARNING) << "Ignoring tasks " << describe(launch) << ": they are for agent "
                 << task.agent_id().value();
    return;
  }
  if (auto checked = check_ids(info, launch.executor, launch.tasks); !checked) {
    LOG(WARNING) << "Ignoring tasks " << describe(launch) << ": " << checked.error().message;
    return;
  }
  *launch.executor.mutable_framework_id() = info.id();
  complete_resources(info, launch.executor.mutable_resources());
  for (auto& task : launch.tasks) {
    complete_resources(info, task.mutable_resources());
    if (task.has_executor()) {
      complete_resources(info, task.mutable_executor()->mutable_resources());
    }
  }

  Framework& framework = frameworks_.add(info, pid);
  if (framework.terminating) {
    LOG(WARNING) << "Ignoring tasks " << describe(launch) << ": framework " << info.id().value()
                 << " is ending";
    owe_exit(launch, info.id().value());
    return;
  }
  for (const auto& task : launch.tasks) {
    if (auto reason = unenforceable_limit(task, agent_.flags.isolation)) {
      for (const auto& each : launch.tasks) {
        updates_.drop(framework, each.task_id(), TaskStatus::REASON_GC_ERROR, *reason);
      }
      owe_exit(launch, info.id().value());
      frameworks_.remove_if_idle(framework);
      return;
    }
  }
  framework.pending_tasks.insert(framework.pending_tasks.end(), launch.tasks.begin(),
                                 launch.tasks.end());
  if (launch.is_group) {
    auto& group = framework.pending_groups.emplace_back();
    group.mutable_tasks()->Add(launch.tasks.begin(), launch.tasks.end());
  }
  ExecutorKey key{info.id().value(), launch.executor.executor_id().value()};
  auto& turn = turns_[key];
  turn.push_back(std::move(launch));
  if (turn.size() == 1) scope_.spawn(run_launches(std::move(key)));
}

Task<void> Launches::run_launches(ExecutorKey key) {
  for (auto at = turns_.find(key); !at->second.empty(); at = turns_.find(key)) {
    co_await run_launch(key, at->second.front());
    turns_.find(key)->second.pop_front();
  }
  turns_.erase(key);
}

Task<void> Launches::run_launch(ExecutorKey key, const Launch& launch) {
  if (!knows_resources_of(services_, launch)) co_await services_.operations_settled();
  Framework* framework = frameworks_.find(key.framework);
  const auto waits = [&] {
    return framework != nullptr && !framework->terminating && !state_.terminating;
  };
  if (!waits()) {
    owe_exit(launch, key.framework);
    co_return;
  }
  if (auto refusal = check_launch(agent_, services_, *framework, launch)) {
    if (take_pending(*framework, launch.tasks)) refuse(*framework, launch, *refusal);
    owe_exit(launch, key.framework);
    if (Framework* still = frameworks_.find(key.framework)) frameworks_.remove_if_idle(*still);
    co_return;
  }
  Executor* executor = frameworks_.find_executor(key);
  if (executor == nullptr) {
    Executor made;
    made.info = launch.executor;
    made.is_command_executor = launch.is_command_executor;
    made.container_id = isolators::ContainerId::root_of(base::make_uuid());
    const RunId run{key.framework, key.executor, made.container_id.to_string()};
    made.sandbox = MetaPaths(agent_.flags.work_dir, agent_.info.id().value()).sandbox(run);
    const auto reclaimed = co_await frameworks_.reclaim(key);
    framework = frameworks_.find(key.framework);
    base::Status sandbox;
    if (reclaimed && waits()) {
      sandbox = co_await containers_.make_sandbox(*framework, made);
      framework = frameworks_.find(key.framework);
    }
    if (!waits() || !take_pending(*framework, launch.tasks)) {
      owe_exit(launch, key.framework);
      frameworks_.abandon(run);
      co_return;
    }
    if (!reclaimed || !sandbox) {
      refuse(*framework, launch,
             !reclaimed ? Refusal{TaskStatus::REASON_GC_ERROR, reclaimed.error().message}
                        : Refusal{TaskStatus::REASON_EXECUTOR_TERMINATED,
                                  concat("Failed to create the executor's directory: ",
                                         sandbox.error().message)});
      owe_exit(launch, key.framework);
      frameworks_.abandon(run);
      co_return;
    }
    executor = &frameworks_.add_executor(*framework, std::move(made));
    delivery_.queue(*framework, *executor, launch.tasks, launch.is_group);
    containers_.launch(*framework, *executor);
    co_return;
  }
  if (take_pending(*framework, launch.tasks)) {
    delivery_.queue(*framework, *executor, launch.tasks, launch.is_group);
  } else {
    owe_exit(launch, key.framework);
    frameworks_.remove_if_idle(*framework);
  }
}

void Launches::refuse(const Framework& framework, const Launch& launch, const Refusal& refusal) {
  LOG(WARNING) << "Not launching " << describe(launch) << " of framework "
               << framework.info.id().value() << ": " << refusal.message;
  for (const auto& task : launch.tasks) {
    const auto* executor = &launch.executor.executor_id();
    if (refusal.state) {
      updates_.say(framework, task.task_id(), *refusal.state, refusal.reason, refusal.message,
                   executor);
    } else {
      updates_.drop(framework, task.task_id(), refusal.reason, refusal.message, executor);
    }
  }
}

// The master takes an executor that it wanted launched for running until it hears of its end. If
// there is one all the same, that is not the one that the master means: it must go.
void Launches::owe_exit(const Launch& launch, const std::string& framework_id) {
  if (launch.launch_executor != true || launch.is_command_executor) return;
  const ExecutorKey key{framework_id, launch.executor.executor_id().value()};
  Framework* framework = nullptr;
  Executor* executor = frameworks_.find_executor(key, &framework);
  if (executor != nullptr && executor->state != Executor::State::kTerminated) {
    shut_down(*framework, *executor);
    return;
  }
  mesos::internal::ExitedExecutorMessage message;
  *message.mutable_slave_id() = agent_.info.id();
  message.mutable_framework_id()->set_value(framework_id);
  *message.mutable_executor_id() = launch.executor.executor_id();
  message.set_status(-1);
  services_.to_master(message);
}

}  // namespace agent
