// From a master's RunTask or RunTaskGroup to the executor that gets the tasks. Launches for one
// executor are worked off one after the other, in their order; others may overtake them.

#include <glog/logging.h>

#include <algorithm>
#include <filesystem>

#include "agent/tasks/command_executor.h"
#include "agent/tasks/container_volumes.h"
#include "agent/tasks/reservations.h"
#include "agent/tasks/tasks.h"
#include "base/strings.h"
#include "base/uuid.h"
#include "base/worker.h"
#include "containerizer/sandbox.h"

namespace agent {

using base::concat;
using base::Task;
using mesos::v1::FrameworkInfo;
using mesos::v1::TaskInfo;

namespace {

std::string describe(const std::vector<TaskInfo>& tasks) {
  std::string text;
  for (const auto& task : tasks) {
    text += concat(text.empty() ? "'" : ", '", task.task_id().value(), "'");
  }
  return text;
}

// The ids become names of directories.
base::Status check_ids(const FrameworkInfo& framework, const mesos::v1::ExecutorInfo& executor,
                       const std::vector<TaskInfo>& tasks) {
  TRY_VOID(check_path_id(framework.id().value()));
  TRY_VOID(check_path_id(executor.executor_id().value()));
  for (const auto& task : tasks) TRY_VOID(check_path_id(task.task_id().value()));
  return {};
}

// What has a limit that nothing enforces must not run.
std::optional<std::string> unenforceable_limit(const TaskInfo& task,
                                               const std::vector<std::string>& isolation) {
  const auto isolates = [&isolation](std::string_view name) {
    return std::ranges::find(isolation, name) != isolation.end() ||
           std::ranges::find(isolation, "cgroups/all") != isolation.end();
  };
  for (const auto& [resource, isolator] :
       {std::pair{"cpus", "cgroups/cpu"}, {"mem", "cgroups/mem"}}) {
    if (task.limits().contains(resource) && !isolates(isolator)) {
      return concat("Task '", task.task_id().value(), "' limits ", resource, ", but the isolator '",
                    isolator, "' is not in use");
    }
  }
  return std::nullopt;
}

// Takes the tasks out of those that wait. False: some were killed meanwhile.
bool take_pending(Framework& framework, const std::vector<TaskInfo>& tasks) {
  auto& pending = framework.pending_tasks;
  const auto find = [&pending](const TaskInfo& task) {
    return std::ranges::find_if(
        pending, [&task](const auto& other) { return other.task_id() == task.task_id(); });
  };
  for (const auto& task : tasks) {
    if (find(task) == pending.end()) return false;
  }
  for (const auto& task : tasks) pending.erase(find(task));
  std::erase_if(framework.pending_groups, [&tasks](const auto& group) {
    return group.tasks(0).task_id() == tasks.front().task_id();
  });
  return true;
}

}  // namespace

void Tasks::run_task(const mesos::internal::RunTaskMessage& message) {
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

void Tasks::run_task_group(const mesos::internal::RunTaskGroupMessage& message) {
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

void Tasks::accept(const FrameworkInfo& info, const std::string& pid, Launch launch) {
  if (state_.recovering || state_.terminating || !agent_.info.has_id()) {
    LOG(WARNING) << "Ignoring tasks " << describe(launch.tasks) << ": the agent is "
                 << (state_.terminating ? "ending" : "not ready");
    return;
  }
  for (const auto& task : launch.tasks) {
    if (task.agent_id() == agent_.info.id()) continue;
    LOG(WARNING) << "Ignoring tasks " << describe(launch.tasks) << ": they are for agent "
                 << task.agent_id().value();
    return;
  }
  if (auto checked = check_ids(info, launch.executor, launch.tasks); !checked) {
    LOG(WARNING) << "Ignoring tasks " << describe(launch.tasks) << ": " << checked.error().message;
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

  Framework& framework = add_framework(info, pid);
  if (framework.terminating) {
    LOG(WARNING) << "Ignoring tasks " << describe(launch.tasks) << ": framework "
                 << info.id().value() << " is ending";
    owe_exit(launch, info.id().value());
    return;
  }
  for (const auto& task : launch.tasks) {
    if (auto reason = unenforceable_limit(task, agent_.flags.isolation)) {
      for (const auto& each : launch.tasks) {
        drop_task(framework, each.task_id(), Status::REASON_GC_ERROR, *reason);
      }
      owe_exit(launch, info.id().value());
      remove_if_idle(framework);
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
  auto& turn = launches_[key];
  turn.push_back(std::move(launch));
  if (turn.size() == 1) scope_.spawn(run_launches(std::move(key)));
}

Task<void> Tasks::run_launches(ExecutorKey key) {
  for (auto at = launches_.find(key); !at->second.empty(); at = launches_.find(key)) {
    co_await run_launch(key, at->second.front());
    launches_.find(key)->second.pop_front();
  }
  launches_.erase(key);
}

Task<void> Tasks::run_launch(ExecutorKey key, const Launch& launch) {
  if (!knows_resources_of(launch)) co_await services_.operations_settled();
  Framework* framework = find_framework(key.framework);
  const auto waits = [&] {
    return framework != nullptr && !framework->terminating && !state_.terminating;
  };
  if (!waits()) {
    owe_exit(launch, key.framework);
    co_return;
  }
  if (auto refusal = check_launch(*framework, launch)) {
    if (take_pending(*framework, launch.tasks)) refuse(*framework, launch, *refusal);
    owe_exit(launch, key.framework);
    if (Framework* still = find_framework(key.framework)) remove_if_idle(*still);
    co_return;
  }
  Executor* executor = find_executor(key);
  if (executor == nullptr) {
    Executor made;
    made.info = launch.executor;
    made.is_command_executor = launch.is_command_executor;
    made.container_id = isolators::ContainerId::root_of(base::make_uuid());
    made.sandbox = MetaPaths(agent_.flags.work_dir, agent_.info.id().value())
                       .sandbox({key.framework, key.executor, made.container_id.to_string()});
    const auto reclaimed = co_await reclaim(key);
    framework = find_framework(key.framework);
    base::Status sandbox;
    if (reclaimed && waits()) {
      sandbox = co_await make_sandbox(*framework, made);
      framework = find_framework(key.framework);
    }
    if (!waits() || !take_pending(*framework, launch.tasks)) {
      owe_exit(launch, key.framework);
      if (framework != nullptr) {
        discard_executor(*framework, made);
        remove_if_idle(*framework);
      }
      co_return;
    }
    if (!reclaimed || !sandbox) {
      refuse(*framework, launch,
             !reclaimed ? Refusal{Status::REASON_GC_ERROR, reclaimed.error().message}
                        : Refusal{Status::REASON_EXECUTOR_TERMINATED,
                                  concat("Failed to create the executor's directory: ",
                                         sandbox.error().message)});
      owe_exit(launch, key.framework);
      discard_executor(*framework, made);
      remove_if_idle(*framework);
      co_return;
    }
    executor = &add_executor(*framework, std::move(made));
    queue(*framework, *executor, launch);
    scope_.spawn(live(key, launch_parameters(*framework, *executor),
                      agent_.flags.executor_registration_timeout));
    co_return;
  }
  if (take_pending(*framework, launch.tasks)) {
    queue(*framework, *executor, launch);
  } else {
    owe_exit(launch, key.framework);
    remove_if_idle(*framework);
  }
}

// What stands in the way, in the order of Mesos (tasks that are launched are as the master thinks).
std::optional<Tasks::Refusal> Tasks::check_launch(const Framework& framework,
                                                  const Launch& launch) const {
  if (agent_.authorizer) {
    for (const auto& task : launch.tasks) {
      std::string user = framework.info.user();
      if (launch.executor.command().has_user()) user = launch.executor.command().user();
      if (task.command().has_user()) user = task.command().user();
      std::optional<http::Principal> principal;
      if (framework.info.has_principal()) {
        principal.emplace();
        principal->value = framework.info.principal();
      }
      if (!agent_.authorizer->allow(principal, Action::kRunTask, {.name = user})) {
        return Refusal{launch.is_group ? Status::REASON_TASK_GROUP_UNAUTHORIZED
                                       : Status::REASON_TASK_UNAUTHORIZED,
                       concat("Task '", task.task_id().value(),
                              "' is not authorized to launch as user '", user, "'"),
                       mesos::v1::TASK_ERROR};
      }
    }
  }
  if (state_.drain_config) {
    return Refusal{Status::REASON_AGENT_DRAINING, "Agent is draining"};
  }
  if (auto refusal = check_resources(launch)) return refusal;

  const auto at = framework.executors.find(launch.executor.executor_id().value());
  const Executor* executor = at == framework.executors.end() ? nullptr : &at->second;
  if (launch.launch_executor && launch.is_command_executor && executor != nullptr) {
    return Refusal{Status::REASON_TASK_INVALID,
                   "Cannot launch the command task: an executor with its id exists"};
  }
  if (launch.launch_executor == true && executor != nullptr) {
    return Refusal{Status::REASON_EXECUTOR_TERMINATED,
                   "Master wants to launch the executor, but it exists already"};
  }
  if (launch.launch_executor == false && executor == nullptr) {
    return Refusal{Status::REASON_EXECUTOR_TERMINATED,
                   "No executor is expected to launch and there is no executor running"};
  }
  return check_volumes(executor, launch);
}

std::optional<Tasks::Refusal> Tasks::check_resources(const Launch& launch) const {
  for (const auto& version : launch.versions) {
    if (version.has_resource_provider_id() ||
        version.uuid().value() != services_.resource_version) {
      return Refusal{Status::REASON_INVALID_OFFERS,
                     "Task's resources have changed since the offer"};
    }
  }
  if (!knows_resources_of(launch)) {
    return Refusal{Status::REASON_RESOURCES_UNKNOWN,
                   "The resources of the task, or of its executor, are not known to the agent"};
  }
  return std::nullopt;
}

bool Tasks::knows_resources_of(const Launch& launch) const {
  auto wanted = launch.executor.resources();
  for (const auto& task : launch.tasks) wanted.MergeFrom(task.resources());
  return services_.has_resources(wanted);
}

// All that the executor would have must fit into its one sandbox. What is refused here harms nobody
// else; if an update of the container failed for it, the executor would have to go.
std::optional<Tasks::Refusal> Tasks::check_volumes(const Executor* executor,
                                                   const Launch& launch) const {
  const auto& own = launch.executor.resources();
  std::vector<mesos::v1::Resource> wanted(own.begin(), own.end());
  for (const auto& task : launch.tasks) {
    wanted.insert(wanted.end(), task.resources().begin(), task.resources().end());
  }
  auto volumes = container_volumes(agent_.flags.work_dir, wanted);
  if (volumes && volumes->empty()) return std::nullopt;
  if (volumes && executor != nullptr) {
    const auto present = allocated_resources(*executor);
    wanted.insert(wanted.end(), present.begin(), present.end());
    volumes = container_volumes(agent_.flags.work_dir, wanted);
  }
  if (!volumes) {
    return Refusal{Status::REASON_TASK_INVALID, volumes.error().message, mesos::v1::TASK_ERROR};
  }
  if (auto there = check_directories(*volumes); !there) {
    return Refusal{Status::REASON_RESOURCES_UNKNOWN, there.error().message};
  }
  const bool read_only = std::ranges::any_of(*volumes, &containerizer::PersistentVolume::read_only);
  const bool by_links =
      std::ranges::find(agent_.flags.isolation, "filesystem/linux") == agent_.flags.isolation.end();
  LOG_IF(WARNING, read_only && by_links)
      << "A volume of " << describe(launch.tasks)
      << " can be written though it is to be read-only: that takes filesystem/linux";
  return std::nullopt;
}

void Tasks::refuse(Framework& framework, const Launch& launch, const Refusal& refusal) {
  LOG(WARNING) << "Not launching " << describe(launch.tasks) << " of framework "
               << framework.info.id().value() << ": " << refusal.message;
  for (const auto& task : launch.tasks) {
    const auto* executor = &launch.executor.executor_id();
    if (refusal.state) {
      take(make_update(framework, task.task_id(), *refusal.state, refusal.reason, refusal.message,
                       executor),
           false);
    } else {
      drop_task(framework, task.task_id(), refusal.reason, refusal.message, executor);
    }
  }
}

// The master takes an executor that it wanted launched for running until it hears of its end. If
// there is one all the same, that is not the one that the master means: it must go.
void Tasks::owe_exit(const Launch& launch, const std::string& framework_id) {
  if (launch.launch_executor != true || launch.is_command_executor) return;
  const ExecutorKey key{framework_id, launch.executor.executor_id().value()};
  Framework* framework = nullptr;
  Executor* executor = find_executor(key, &framework);
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

// Before the container, which would delete it if it could not start: what its fetcher said of the
// reason is in there.
Task<base::Status> Tasks::make_sandbox(const Framework& framework, const Executor& executor) {
  std::optional<std::string> user;
  if (agent_.flags.switch_user) user = user_of(framework, executor);
  co_return co_await base::run_on_worker(
      [work_dir = agent_.flags.work_dir, path = executor.sandbox, user]() -> base::Status {
        std::optional<isolators::Credentials> owner;
        if (user) {
          TRY(owner, containerizer::find_user(*user));
        }
        TRY_VOID(containerizer::Sandbox::create(work_dir, path, owner));
        return replace_latest(
            base::join_path(std::filesystem::path(path).parent_path().native(), "latest"), path);
      });
}

void Tasks::queue(Framework& framework, Executor& executor, const Launch& launch) {
  if (executor.state == Executor::State::kTerminating ||
      executor.state == Executor::State::kTerminated) {
    for (const auto& task : launch.tasks) {
      drop_task(framework, task.task_id(), Status::REASON_EXECUTOR_TERMINATED,
                "The executor is terminating or terminated");
    }
    return;
  }
  for (const auto& task : launch.tasks) checkpoint_task(framework, executor, task);
  executor.queued_tasks.insert(executor.queued_tasks.end(), launch.tasks.begin(),
                               launch.tasks.end());
  if (launch.is_group) {
    auto& group = executor.queued_groups.emplace_back();
    group.mutable_tasks()->Add(launch.tasks.begin(), launch.tasks.end());
  }
  if (executor.state == Executor::State::kRunning) deliver(framework, executor);
}

void Tasks::drop_groups(Framework& framework, Executor& executor) {
  for (const auto& group : std::exchange(executor.queued_groups, {})) {
    for (const auto& task : group.tasks()) {
      drop_task(framework, task.task_id(), Status::REASON_TASK_INVALID,
                "Executors made with the driver cannot run task groups",
                &executor.info.executor_id());
    }
  }
}

// Single tasks first, then groups, each in their order.
void Tasks::deliver(Framework& framework, Executor& executor) {
  if (executor.state != Executor::State::kRunning) return;
  if (!executor.control->link->takes_groups()) drop_groups(framework, executor);
  if (!update_container(framework, executor)) return;
  auto queued = std::exchange(executor.queued_tasks, {});
  const auto groups = std::exchange(executor.queued_groups, {});
  for (const auto& task : queued) {
    executor.launched_tasks.push_back(staging_task(task, framework.info.id()));
  }
  const auto in_group = [&groups](const TaskInfo& task) {
    return std::ranges::any_of(groups, [&task](const auto& group) {
      return std::ranges::any_of(group.tasks(), [&task](const auto& member) {
        return member.task_id() == task.task_id();
      });
    });
  };
  for (const auto& task : queued) {
    if (!in_group(task)) executor.control->link->launch(framework, task);
  }
  for (const auto& group : groups) executor.control->link->launch_group(group);
}

}  // namespace agent
