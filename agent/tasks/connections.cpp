// Executors that come, or come back: by HTTP or with the driver.

#include <glog/logging.h>

#include <algorithm>

#include "agent/tasks/driver_link.h"
#include "agent/tasks/tasks.h"
#include "base/strings.h"

namespace agent {

using mesos::v1::TaskInfo;

namespace {

bool is_ending(const Framework& framework, const Executor& executor) {
  return framework.terminating || executor.state == Executor::State::kTerminating ||
         executor.state == Executor::State::kTerminated;
}

}  // namespace

// What all that come have in common. What the executor is told first is up to the caller.
void Tasks::connect(Framework& framework, Executor& executor, std::unique_ptr<ExecutorLink> link) {
  executor.control->link = std::move(link);
  executor.state = Executor::State::kRunning;
  executor.control->subscribed.set();
  executor.control->settled.set();
  checkpoint_link(framework, executor);
}

// What was sent to an executor that has not heard of it is lost.
void Tasks::drop_unknown(Framework& framework, const Executor& executor,
                         const google::protobuf::RepeatedPtrField<TaskInfo>& known) {
  std::vector<mesos::v1::TaskID> lost;
  for (const auto& task : executor.launched_tasks) {
    const bool is_known = std::ranges::any_of(
        known, [&task](const auto& other) { return other.task_id() == task.task_id(); });
    if (task.state() == mesos::v1::TASK_STAGING && !is_known) lost.push_back(task.task_id());
  }
  for (const auto& task : lost) {
    drop_task(framework, task, Status::REASON_AGENT_RESTARTED, "Task launched during agent restart",
              &executor.info.executor_id());
  }
}

// --- By HTTP ---

void Tasks::subscribe(const mesos::v1::executor::Call& call, std::shared_ptr<EventStream> stream) {
  Framework* framework = nullptr;
  Executor* executor =
      find_executor({call.framework_id().value(), call.executor_id().value()}, &framework);
  auto link = std::make_unique<HttpExecutorLink>(std::move(stream));
  if (executor == nullptr || executor->control == nullptr || is_ending(*framework, *executor)) {
    link->shut_down();
    return;
  }
  HttpExecutorLink& connection = *link;
  connect(*framework, *executor, std::move(link));
  for (const auto& unacknowledged : call.subscribe().unacknowledged_updates()) {
    mesos::v1::executor::Call resent;
    *resent.mutable_framework_id() = call.framework_id();
    *resent.mutable_executor_id() = call.executor_id();
    *resent.mutable_update() = unacknowledged;
    (void)update(resent);
  }
  drop_unknown(*framework, *executor, call.subscribe().unacknowledged_tasks());
  // One of the updates may have cost it its life.
  if (executor->state != Executor::State::kRunning) return;
  // An agent that cleans up has waited for it to say so.
  if (has_nothing_to_do(*executor) || state_.terminating) {
    shut_down(*framework, *executor);
    return;
  }
  mesos::v1::executor::Event::Subscribed subscribed;
  *subscribed.mutable_executor_info() = executor->info;
  *subscribed.mutable_framework_info() = framework->info;
  *subscribed.mutable_agent_info() = agent_.info;
  *subscribed.mutable_container_id() = executor->container_id.to_message();
  connection.subscribed(subscribed);
  deliver(*framework, *executor);
}

// --- With the driver ---

void Tasks::register_executor(const std::string& from,
                              const mesos::internal::RegisterExecutorMessage& message) {
  Framework* framework = nullptr;
  Executor* executor =
      find_executor({message.framework_id().value(), message.executor_id().value()}, &framework);
  auto link = std::make_unique<DriverLink>(from, agent_.info.id(), services_.to_process);
  if (state_.recovering || executor == nullptr || executor->control == nullptr ||
      is_ending(*framework, *executor) || executor->state != Executor::State::kRegistering) {
    LOG(WARNING) << "Executor '" << message.executor_id().value() << "' of framework "
                 << message.framework_id().value() << " registers unexpectedly from " << from;
    link->shut_down();
    return;
  }
  connect(*framework, *executor, std::move(link));
  if (has_nothing_to_do(*executor)) {
    shut_down(*framework, *executor);
    return;
  }
  mesos::internal::ExecutorRegisteredMessage registered;
  *registered.mutable_executor_info() = executor->info;
  *registered.mutable_framework_id() = framework->info.id();
  *registered.mutable_framework_info() = framework->info;
  *registered.mutable_slave_id() = agent_.info.id();
  *registered.mutable_slave_info() = agent_.info;
  services_.to_process(from, registered);
  deliver(*framework, *executor);
}

void Tasks::reregister_executor(const std::string& from,
                                const mesos::internal::ReregisterExecutorMessage& message) {
  Framework* framework = nullptr;
  Executor* executor =
      find_executor({message.framework_id().value(), message.executor_id().value()}, &framework);
  auto link = std::make_unique<DriverLink>(from, agent_.info.id(), services_.to_process);
  if (executor == nullptr || executor->control == nullptr || is_ending(*framework, *executor) ||
      executor->state != Executor::State::kRegistering) {
    LOG(WARNING) << "Executor '" << message.executor_id().value() << "' of framework "
                 << message.framework_id().value() << " re-registers unexpectedly from " << from;
    link->shut_down();
    return;
  }
  connect(*framework, *executor, std::move(link));
  mesos::internal::ExecutorReregisteredMessage reregistered;
  *reregistered.mutable_slave_id() = agent_.info.id();
  *reregistered.mutable_slave_info() = agent_.info;
  services_.to_process(from, reregistered);
  for (const auto& update : message.updates()) (void)report(update, from);
  drop_unknown(*framework, *executor, message.tasks());
  if (executor->state != Executor::State::kRunning) return;
  if (has_nothing_to_do(*executor)) {
    shut_down(*framework, *executor);
    return;
  }
  deliver(*framework, *executor);
}

}  // namespace agent
