#include "agent/state.h"

#include <set>

namespace agent {

using mesos::v1::Resource;

namespace {

template <typename Holder>
void append_resources(const Holder& holder, std::vector<Resource>* to) {
  to->insert(to->end(), holder.resources().begin(), holder.resources().end());
}

void append_allocated(const Executor& executor, std::vector<Resource>* to) {
  append_resources(executor.info, to);
  for (const auto& task : executor.queued_tasks) append_resources(task, to);
  for (const auto& task : executor.launched_tasks) append_resources(task, to);
}

}  // namespace

ExecutorOf find_executor(const State& state, const isolators::ContainerId& container) {
  for (const auto& [framework_id, framework] : state.frameworks) {
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state != Executor::State::kTerminated &&
          executor.container_id == container.root()) {
        return {&framework, &executor};
      }
    }
  }
  return {};
}

std::vector<Resource> allocated_resources(const Executor& executor) {
  std::vector<Resource> resources;
  append_allocated(executor, &resources);
  return resources;
}

std::vector<Resource> allocated_resources(const State& state) {
  std::vector<Resource> resources;
  for (const auto& [framework_id, framework] : state.frameworks) {
    for (const auto& task : framework.pending_tasks) append_resources(task, &resources);
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state != Executor::State::kTerminated) append_allocated(executor, &resources);
    }
  }
  std::set<std::string> shared;
  std::erase_if(resources, [&shared](const Resource& resource) {
    return resource.has_shared() && !shared.insert(resource.SerializeAsString()).second;
  });
  return resources;
}

mesos::v1::Task staging_task(const mesos::v1::TaskInfo& info,
                             const mesos::v1::FrameworkID& framework) {
  mesos::v1::Task task;
  task.set_name(info.name());
  *task.mutable_task_id() = info.task_id();
  *task.mutable_framework_id() = framework;
  *task.mutable_agent_id() = info.agent_id();
  task.set_state(mesos::v1::TASK_STAGING);
  *task.mutable_resources() = info.resources();
  *task.mutable_limits() = info.limits();
  if (info.has_executor()) *task.mutable_executor_id() = info.executor().executor_id();
  if (info.has_labels()) *task.mutable_labels() = info.labels();
  if (info.has_discovery()) *task.mutable_discovery() = info.discovery();
  if (info.has_container()) *task.mutable_container() = info.container();
  if (info.has_health_check()) *task.mutable_health_check() = info.health_check();
  if (info.has_kill_policy()) *task.mutable_kill_policy() = info.kill_policy();
  for (const auto* command : {&info.command(), &info.executor().command()}) {
    if (!task.has_user() && command->has_user()) task.set_user(command->user());
  }
  return task;
}

}  // namespace agent
