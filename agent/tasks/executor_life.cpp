// An executor, from the launch of its container to the end of its tasks.

#include <glog/logging.h>

#include <utility>

#include "agent/meta/checkpoints.h"
#include "agent/tasks/command_executor.h"
#include "agent/tasks/container_resources.h"
#include "agent/tasks/container_volumes.h"
#include "agent/tasks/tasks.h"
#include "base/combine.h"
#include "base/duration.h"
#include "base/strings.h"
#include "http/jwt.h"

namespace agent {

using base::concat;
using base::Result;
using base::Task;
using containerizer::ContainerTermination;

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

Executor& Tasks::add_executor(Framework& framework, Executor made) {
  made.control = std::make_shared<ExecutorControl>();
  const std::string id = made.info.executor_id().value();
  Executor& executor = framework.executors[id] = std::move(made);
  checkpoint_executor(framework, executor);
  return executor;
}

Tasks::ToLaunch Tasks::launch_parameters(const Framework& framework,
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
    parameters->forked = [paths = paths(), run = run_of(framework, executor)](pid_t pid) {
      return checkpoint_forked_pid(paths, run, pid);
    };
  }
  return parameters;
}

// What the executor and its tasks have now. That the volumes have their places, the check of the
// launches has seen.
containerizer::Allocation Tasks::allocation_of(const Executor& executor) const {
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
Task<void> Tasks::live(ExecutorKey key, ToLaunch launch, std::chrono::nanoseconds patience) {
  const Executor* executor = find_executor(key);
  const auto control = executor->control;
  auto end = co_await base::any_of(run_container(key, executor->container_id, std::move(launch)),
                                   see_to_its_end(key, *control, patience));
  ended(key, std::get<0>(end));
}

Task<Result<ContainerTermination>> Tasks::run_container(const ExecutorKey& key,
                                                        isolators::ContainerId id,
                                                        ToLaunch launch) {
  if (launch != nullptr && !co_await launch_container(key, std::move(launch))) {
    co_return ContainerTermination();
  }
  co_return co_await agent_.containers.wait(id);
}

Task<bool> Tasks::launch_container(const ExecutorKey& key, ToLaunch launch) {
  auto launched = co_await agent_.containers.launch(std::move(*launch));
  if (launched) co_return true;
  ++agent_.container_launch_errors;
  find_executor(key)->control->cause =
      EndCause{mesos::v1::TASK_FAILED, Status::REASON_CONTAINER_LAUNCH_FAILED,
               concat("Failed to launch container: ", launched.error().message)};
  co_return false;
}

Task<void> Tasks::see_to_its_start(const ExecutorKey& key, ExecutorControl& control,
                                   std::chrono::nanoseconds patience) {
  const auto first = co_await base::any_of(
      wait_for(control.subscribed), wait_for(control.shutting_down), base::sleep_task(patience));
  Executor* executor = find_executor(key);
  if (first.index() != 2 || executor->state != Executor::State::kRegistering) co_return;
  LOG(WARNING) << "Executor '" << key.executor << "' of framework " << key.framework
               << " did not register within " << base::to_string(patience);
  destroy(*executor, {mesos::v1::TASK_FAILED, Status::REASON_EXECUTOR_REGISTRATION_TIMEOUT,
                      concat("Executor did not register within ", base::to_string(patience))});
}

// Never ends by itself: what it does makes the container end.
Task<void> Tasks::see_to_its_end(const ExecutorKey& key, ExecutorControl& control,
                                 std::chrono::nanoseconds patience) {
  co_await see_to_its_start(key, control, patience);
  co_await control.shutting_down.wait();
  co_await base::sleep_for(shutdown_grace_of(agent_.flags, find_executor(key)->info));
  LOG(INFO) << "Killing executor '" << key.executor << "' of framework " << key.framework
            << ": its time to end by itself is over";
  if (const auto container = agent_.containers.find(find_executor(key)->container_id)) {
    container->request_destroy();
  }
  base::Event never;
  co_await never.wait();
}

void Tasks::destroy(Executor& executor, EndCause cause) {
  executor.state = Executor::State::kTerminating;
  executor.control->cause = std::move(cause);
  if (const auto container = agent_.containers.find(executor.container_id)) {
    container->request_destroy();
  }
}

// The container gets what its tasks have now. If it cannot, it goes: false.
bool Tasks::update_container(const Framework& framework, Executor& executor) {
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
          {gone_state(framework), Status::REASON_CONTAINER_UPDATE_FAILED,
           concat("Failed to update resources for container: ", updated.error().message)});
  return false;
}

void Tasks::shut_down(Framework& framework, Executor& executor) {
  if (executor.state == Executor::State::kTerminating ||
      executor.state == Executor::State::kTerminated) {
    return;
  }
  LOG(INFO) << "Shutting down executor '" << executor.info.executor_id().value()
            << "' of framework " << framework.info.id().value();
  executor.state = Executor::State::kTerminating;
  if (executor.control->link) executor.control->link->shut_down();
  executor.control->shutting_down.set();
}

void Tasks::shut_down_executor(const mesos::internal::ShutdownExecutorMessage& message) {
  Framework* framework = nullptr;
  Executor* executor =
      find_executor({message.framework_id().value(), message.executor_id().value()}, &framework);
  if (executor == nullptr) {
    LOG(INFO) << "There is no executor '" << message.executor_id().value() << "' of framework "
              << message.framework_id().value() << " to shut down";
    return;
  }
  shut_down(*framework, *executor);
}

// Its tasks that have not ended get their last update.
void Tasks::ended(const ExecutorKey& key, const Result<ContainerTermination>& termination) {
  Framework* framework = nullptr;
  Executor* executor = find_executor(key, &framework);
  LOG(INFO) << "Executor '" << key.executor << "' of framework " << key.framework << " has ended";
  ++state_.counters.executors_terminated;
  executor->state = Executor::State::kTerminated;
  executor->control->link.reset();
  executor->control->settled.set();
  if (!framework->terminating) {
    const EndCause cause = executor->control->cause.value_or(EndCause());
    std::string message = cause.message;
    const auto add = [&message](const std::string& more) {
      if (!more.empty()) message += concat(message.empty() ? "" : "; ", more);
    };
    Update prototype =
        make_update(*framework, {}, cause.state, cause.reason, {}, &executor->info.executor_id());
    auto& status = *prototype.mutable_status();
    if (!termination) {
      add(concat("Abnormal executor termination: ", termination.error().message));
    } else {
      add(termination->message());
      if (termination->has_state()) status.set_state(termination->state());
      if (termination->has_reason()) status.set_reason(termination->reason());
      if (termination->limited_resources_size() > 0) {
        *status.mutable_limitation()->mutable_resources() = termination->limited_resources();
      }
    }
    status.set_message(message.empty() ? "Executor terminated" : message);

    std::vector<mesos::v1::TaskID> left;
    for (const auto& task : executor->launched_tasks) left.push_back(task.task_id());
    for (const auto& task : executor->queued_tasks) left.push_back(task.task_id());
    for (const auto& task : left) take(stamped(prototype, task), false);
    executor->queued_groups.clear();
  }
  if (!executor->is_command_executor && agent_.info.has_id()) {
    mesos::internal::ExitedExecutorMessage message;
    *message.mutable_slave_id() = agent_.info.id();
    *message.mutable_framework_id() = framework->info.id();
    *message.mutable_executor_id() = executor->info.executor_id();
    message.set_status(termination && termination->has_status() ? termination->status() : -1);
    services_.to_master(message);
  }
  remove_if_done(*framework, *executor);
  remove_if_idle(*framework);
}

// An executor is kept until everything about its tasks is acknowledged, unless nobody wants to hear
// of them any more. The framework stays in any case.
void Tasks::remove_if_done(Framework& framework, Executor& executor) {
  if (executor.state != Executor::State::kTerminated) return;
  const bool wanted = !framework.terminating && !state_.terminating;
  if (wanted && (!executor.queued_tasks.empty() || !executor.launched_tasks.empty() ||
                 !executor.terminated_tasks.empty())) {
    return;
  }
  // First: if the agent ends in between, the next run takes care of the executor again.
  discard_executor(framework, executor);
  checkpoint_completed(framework, executor);
  executor.control.reset();
  const std::string id = executor.info.executor_id().value();
  archive(framework, std::move(executor));
  framework.executors.erase(id);
  strangers_.erase({framework.info.id().value(), id});
}

}  // namespace agent
