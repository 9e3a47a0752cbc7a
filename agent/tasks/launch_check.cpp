#include "agent/tasks/launch_check.h"

#include <glog/logging.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "agent/tasks/container_volumes.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;

namespace {

// Whether the framework may run tasks as the users that it names.
std::optional<Refusal> check_users(const Agent& agent, const Framework& framework,
                                   const Launch& launch) {
  if (!agent.authorizer) return std::nullopt;
  for (const auto& task : launch.tasks) {
    std::string user = framework.info.user();
    if (launch.executor.command().has_user()) user = launch.executor.command().user();
    if (task.command().has_user()) user = task.command().user();
    std::optional<http::Principal> principal;
    if (framework.info.has_principal()) {
      principal.emplace();
      principal->value = framework.info.principal();
    }
    if (!agent.authorizer->allow(principal, Action::kRunTask, {.name = user})) {
      return Refusal{launch.is_group ? TaskStatus::REASON_TASK_GROUP_UNAUTHORIZED
                                     : TaskStatus::REASON_TASK_UNAUTHORIZED,
                     concat("Task '", task.task_id().value(),
                            "' is not authorized to launch as user '", user, "'"),
                     mesos::v1::TASK_ERROR};
    }
  }
  return std::nullopt;
}

std::optional<Refusal> check_resources(const TaskServices& services, const Launch& launch) {
  for (const auto& version : launch.versions) {
    if (version.has_resource_provider_id() || version.uuid().value() != services.resource_version) {
      return Refusal{TaskStatus::REASON_INVALID_OFFERS,
                     "Task's resources have changed since the offer"};
    }
  }
  if (!knows_resources_of(services, launch)) {
    return Refusal{TaskStatus::REASON_RESOURCES_UNKNOWN,
                   "The resources of the task, or of its executor, are not known to the agent"};
  }
  return std::nullopt;
}

// All that the executor would have must fit into its one sandbox. What is refused here harms nobody
// else; if an update of the container failed for it, the executor would have to go.
std::optional<Refusal> check_volumes(const Agent& agent, const Executor* executor,
                                     const Launch& launch) {
  const auto& own = launch.executor.resources();
  std::vector<mesos::v1::Resource> wanted(own.begin(), own.end());
  for (const auto& task : launch.tasks) {
    wanted.insert(wanted.end(), task.resources().begin(), task.resources().end());
  }
  auto volumes = container_volumes(agent.flags.work_dir, wanted);
  if (volumes && volumes->empty()) return std::nullopt;
  if (volumes && executor != nullptr) {
    const auto present = allocated_resources(*executor);
    wanted.insert(wanted.end(), present.begin(), present.end());
    volumes = container_volumes(agent.flags.work_dir, wanted);
  }
  if (!volumes) {
    return Refusal{TaskStatus::REASON_TASK_INVALID, volumes.error().message, mesos::v1::TASK_ERROR};
  }
  if (auto there = check_directories(*volumes); !there) {
    return Refusal{TaskStatus::REASON_RESOURCES_UNKNOWN, there.error().message};
  }
  const bool read_only = std::ranges::any_of(*volumes, &containerizer::PersistentVolume::read_only);
  const bool by_links =
      std::ranges::find(agent.flags.isolation, "filesystem/linux") == agent.flags.isolation.end();
  LOG_IF(WARNING, read_only && by_links)
      << "A volume of " << describe(launch)
      << " can be written though it is to be read-only: that takes filesystem/linux";
  return std::nullopt;
}

}  // namespace

std::string describe(const Launch& launch) {
  std::string text;
  for (const auto& task : launch.tasks) {
    text += concat(text.empty() ? "'" : ", '", task.task_id().value(), "'");
  }
  return text;
}

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

bool knows_resources_of(const TaskServices& services, const Launch& launch) {
  auto wanted = launch.executor.resources();
  for (const auto& task : launch.tasks) wanted.MergeFrom(task.resources());
  return services.has_resources(wanted);
}

// What stands in the way, in the order of Mesos (tasks that are launched are as the master thinks).
std::optional<Refusal> check_launch(const Agent& agent, const TaskServices& services,
                                    const Framework& framework, const Launch& launch) {
  if (auto refusal = check_users(agent, framework, launch)) return refusal;
  if (agent.state.drain_config) {
    return Refusal{TaskStatus::REASON_AGENT_DRAINING, "Agent is draining"};
  }
  if (auto refusal = check_resources(services, launch)) return refusal;

  const auto at = framework.executors.find(launch.executor.executor_id().value());
  const Executor* executor = at == framework.executors.end() ? nullptr : &at->second;
  if (launch.launch_executor && launch.is_command_executor && executor != nullptr) {
    return Refusal{TaskStatus::REASON_TASK_INVALID,
                   "Cannot launch the command task: an executor with its id exists"};
  }
  if (launch.launch_executor == true && executor != nullptr) {
    return Refusal{TaskStatus::REASON_EXECUTOR_TERMINATED,
                   "Master wants to launch the executor, but it exists already"};
  }
  if (launch.launch_executor == false && executor == nullptr) {
    return Refusal{TaskStatus::REASON_EXECUTOR_TERMINATED,
                   "No executor is expected to launch and there is no executor running"};
  }
  return check_volumes(agent, executor, launch);
}

}  // namespace agent
