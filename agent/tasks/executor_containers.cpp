#include "agent/tasks/executor_containers.h"

#include <glog/logging.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "agent/meta/checkpoints.h"
#include "agent/tasks/command_executor.h"
#include "agent/tasks/container_resources.h"
#include "agent/tasks/container_volumes.h"
#include "agent/tasks/task_status.h"
#include "base/combine.h"
#include "base/duration.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/worker.h"
#include "containerizer/sandbox.h"
#include "http/jwt.h"

namespace agent {

using base::concat;
using base::Task;
using containerizer::ContainerTermination;
using mesos::v1::TaskStatus;

namespace {

Task<void> wait_for(base::Event& event) { co_await event.wait(); }

// (What volumes it has is said by its resources.)
bool has_allocation(const isolators::ContainerConfig& config,
                    const containerizer::Allocation& allocation) {
  const auto& [resources, limits, volumes] = allocation;
  return std::ranges::equal(config.resources(), resources,
                            [](const auto& a, const auto& b) {
                              return a.SerializeAsString() == b.SerializeAsString();
                            }) &&
         std::ranges::equal(limits, config.limits(), [&](const auto& a, const auto& /*unordered*/) {
           const auto at = config.limits().find(a.first);
           return at != config.limits().end() && at->second.value() == a.second;
         });
}

// What the executor has less than that is set; its own variables win.
void add_variables(const std::map<std::string, std::string>& variables,
                   mesos::v1::CommandInfo* command) {
  auto given = std::exchange(*command->mutable_environment(), {});
  for (const auto& [name, value] : variables) {
    const bool overridden = std::ranges::any_of(
        given.variables(), [&name](const auto& variable) { return variable.name() == name; });
    if (overridden) continue;
    auto* variable = command->mutable_environment()->add_variables();
    variable->set_name(name);
    variable->set_value(value);
  }
  command->mutable_environment()->MergeFrom(given);
}

}  // namespace

ExecutorContainers::ExecutorContainers(Agent& agent, Frameworks& frameworks,
                                       const TaskCheckpoints& checkpoints, Ended ended)
    : agent_(agent), frameworks_(frameworks), checkpoints_(checkpoints), ended_(std::move(ended)) {}

// --- The start ---

Task<base::Status> ExecutorContainers::make_sandbox(const Framework& framework,
                                                    const Executor& executor) const {
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

void ExecutorContainers::launch(const Framework& framework, const Executor& executor) {
  scope_.spawn(live({framework.info.id().value(), executor.info.executor_id().value()},
                    launch_parameters(framework, executor),
                    agent_.flags.executor_registration_timeout));
}

void ExecutorContainers::take_up(const ExecutorKey& key) {
  scope_.spawn(live(key, nullptr, std::chrono::nanoseconds::max()));
}

ExecutorContainers::ToLaunch ExecutorContainers::launch_parameters(const Framework& framework,
                                                                   const Executor& executor) const {
  std::string token;
  if (const auto& key = agent_.authentication.token_key()) {
    token = http::make_jwt({{"fid", framework.info.id().value()},
                            {"eid", executor.info.executor_id().value()},
                            {"cid", executor.container_id.to_string()}},
                           *key);
  }
  auto parameters = std::make_unique<containerizer::LaunchParameters>();
  parameters->id = executor.container_id;
  parameters->directory = executor.sandbox;
  parameters->command = command_of(agent_.flags, executor.info);
  add_variables(executor_environment(agent_, framework, executor, token), &parameters->command);
  if (agent_.flags.switch_user) parameters->command.set_user(user_of(framework, executor));
  if (executor.info.has_container()) parameters->container = executor.info.container();
  parameters->allocation = allocation_of(executor);
  // On disk before the executor can run: whoever takes over the directory knows whose it is.
  if (framework.info.checkpoint()) {
    parameters->forked = [paths = checkpoints_.paths(),
                          run = TaskCheckpoints::run_of(framework, executor)](pid_t pid) {
      return checkpoint_forked_pid(paths, run, pid);
    };
  }
  return parameters;
}

// What the executor and its tasks have now. That the volumes have their places, the check of the
// launches has seen.
containerizer::Allocation ExecutorContainers::allocation_of(const Executor& executor) const {
  containerizer::Allocation allocation;
  allocation.resources = allocated_resources(executor);
  allocation.limits = container_limits(executor, agent_.flags.cgroups_enable_cfs);
  auto volumes = container_volumes(agent_.flags.work_dir, allocation.resources);
  if (volumes) {
    allocation.volumes = *std::move(volumes);
  } else {
    LOG(ERROR) << volumes.error().message;
  }
  return allocation;
}

// Ends with the container, and with what is to be done about that.
Task<void> ExecutorContainers::live(ExecutorKey key, ToLaunch launch,
                                    std::chrono::nanoseconds patience) {
  const Executor* executor = frameworks_.find_executor(key);
  const auto control = executor->control;
  auto end = co_await base::any_of(run_container(key, executor->container_id, std::move(launch)),
                                   see_to_its_end(key, *control, patience));
  finish(key, std::get<0>(end));
}

Task<ExecutorContainers::Termination> ExecutorContainers::run_container(const ExecutorKey& key,
                                                                        isolators::ContainerId id,
                                                                        ToLaunch launch) {
  if (launch != nullptr && !co_await launch_container(key, std::move(launch))) {
    co_return ContainerTermination();
  }
  co_return co_await agent_.containers.wait(id);
}

Task<bool> ExecutorContainers::launch_container(const ExecutorKey& key, ToLaunch launch) {
  auto launched = co_await agent_.containers.launch(std::move(*launch));
  if (launched) co_return true;
  ++agent_.container_launch_errors;
  frameworks_.find_executor(key)->control->cause =
      EndCause{mesos::v1::TASK_FAILED, TaskStatus::REASON_CONTAINER_LAUNCH_FAILED,
               concat("Failed to launch container: ", launched.error().message)};
  co_return false;
}

Task<void> ExecutorContainers::see_to_its_start(const ExecutorKey& key, ExecutorControl& control,
                                                std::chrono::nanoseconds patience) {
  const auto first = co_await base::any_of(
      wait_for(control.subscribed), wait_for(control.shutting_down), base::sleep_task(patience));
  Executor* executor = frameworks_.find_executor(key);
  if (first.index() != 2 || executor->state != Executor::State::kRegistering) co_return;
  LOG(WARNING) << "Executor '" << key.executor << "' of framework " << key.framework
               << " did not register within " << base::to_string(patience);
  destroy(*executor, {mesos::v1::TASK_FAILED, TaskStatus::REASON_EXECUTOR_REGISTRATION_TIMEOUT,
                      concat("Executor did not register within ", base::to_string(patience))});
}

// Never ends by itself: what it does makes the container end.
Task<void> ExecutorContainers::see_to_its_end(const ExecutorKey& key, ExecutorControl& control,
                                              std::chrono::nanoseconds patience) {
  co_await see_to_its_start(key, control, patience);
  co_await control.shutting_down.wait();
  co_await base::sleep_for(shutdown_grace_of(agent_.flags, frameworks_.find_executor(key)->info));
  LOG(INFO) << "Killing executor '" << key.executor << "' of framework " << key.framework
            << ": its time to end by itself is over";
  if (const auto container = agent_.containers.find(frameworks_.find_executor(key)->container_id)) {
    container->request_destroy();
  }
  base::Event never;
  co_await never.wait();
}

void ExecutorContainers::destroy(Executor& executor, EndCause cause) {
  executor.state = Executor::State::kTerminating;
  executor.control->cause = std::move(cause);
  if (const auto container = agent_.containers.find(executor.container_id)) {
    container->request_destroy();
  }
}

bool ExecutorContainers::update(const Framework& framework, Executor& executor) {
  const auto container = agent_.containers.find(executor.container_id);
  if (container == nullptr) return true;  // its end is on the way here
  // An executor runs before it can subscribe; but whoever claims to be it need not wait for that.
  if (container->state() == containerizer::Container::State::kStarting) return true;
  const auto allocation = allocation_of(executor);
  if (has_allocation(container->config(), allocation)) return true;
  auto updated = agent_.containers.update(executor.container_id, allocation);
  if (updated) return true;
  LOG(ERROR) << "Failed to update the resources of executor '"
             << executor.info.executor_id().value() << "': " << updated.error().message;
  destroy(executor,
          {gone_state(framework.info), TaskStatus::REASON_CONTAINER_UPDATE_FAILED,
           concat("Failed to update resources for container: ", updated.error().message)});
  return false;
}

// The end of its life, and not yet of the executor: that is for those to say who know its tasks.
void ExecutorContainers::finish(const ExecutorKey& key, const Termination& termination) {
  Executor* executor = frameworks_.find_executor(key);
  LOG(INFO) << "Executor '" << key.executor << "' of framework " << key.framework << " has ended";
  ++agent_.state.counters.executors_terminated;
  executor->state = Executor::State::kTerminated;
  executor->control->link.reset();
  executor->control->settled.set();
  ended_(key, termination);
}

}  // namespace agent
