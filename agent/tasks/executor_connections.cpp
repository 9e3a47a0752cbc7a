#include "agent/tasks/executor_connections.h"

#include <glog/logging.h>

#include <utility>
#include <vector>

#include "agent/tasks/driver_link.h"
#include "agent/tasks/executor_control.h"
#include "agent/tasks/task_lists.h"

namespace agent {

using mesos::v1::TaskInfo;
using mesos::v1::TaskStatus;

namespace {

bool is_ending(const Framework& framework, const Executor& executor) {
  return framework.terminating || executor.state == Executor::State::kTerminating ||
         executor.state == Executor::State::kTerminated;
}

}  // namespace

// What all that come have in common. What the executor is told first is up to the caller.
void ExecutorConnections::connect(const Framework& framework, Executor& executor,
                                  std::unique_ptr<ExecutorLink> link) {
  executor.control->link = std::move(link);
  executor.state = Executor::State::kRunning;
  executor.control->subscribed.set();
  executor.control->settled.set();
  checkpoints_.write_link(framework, executor);
}

// What was sent to an executor that has not heard of it is lost.
void ExecutorConnections::drop_unknown(const Framework& framework, const Executor& executor,
                                       const google::protobuf::RepeatedPtrField<TaskInfo>& known) {
  std::vector<mesos::v1::TaskID> lost;
  for (const auto& task : executor.launched_tasks) {
    if (task.state() == mesos::v1::TASK_STAGING && !has_task(known, task.task_id())) {
      lost.push_back(task.task_id());
    }
  }
  for (const auto& task : lost) {
    updates_.drop(framework, task, TaskStatus::REASON_AGENT_RESTARTED,
                  "Task launched during agent restart", &executor.info.executor_id());
  }
}

// --- By HTTP ---

void ExecutorConnections::subscribe(const mesos::v1::executor::Call& call,
                                    std::shared_ptr<EventStream> stream) {
  Framework* framework = nullptr;
  Executor* executor = frameworks_.find_executor(
      {call.framework_id().value(), call.executor_id().value()}, &framework);
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
    (void)updates_.report(resent);
  }
  drop_unknown(*framework, *executor, call.subscribe().unacknowledged_tasks());
  // One of the updates may have cost it its life.
  if (executor->state != Executor::State::kRunning) return;
  // An agent that cleans up has waited for it to say so.
  if (has_nothing_to_do(*executor) || agent_.state.terminating) {
    shut_down(*framework, *executor);
    return;
  }
  mesos::v1::executor::Event::Subscribed subscribed;
  *subscribed.mutable_executor_info() = executor->info;
  *subscribed.mutable_framework_info() = framework->info;
  *subscribed.mutable_agent_info() = agent_.info;
  *subscribed.mutable_container_id() = executor->container_id.to_message();
  connection.subscribed(subscribed);
  delivery_.deliver(*framework, *executor);
}

// --- With the driver ---

void ExecutorConnections::register_executor(
    const std::string& from, const mesos::internal::RegisterExecutorMessage& message) {
  Framework* framework = nullptr;
  Executor* executor = frameworks_.find_executor(
      {message.framework_id().value(), message.executor_id().value()}, &framework);
  auto link = std::make_unique<DriverLink>(from, agent_.info.id(), services_.to_process);
  if (agent_.state.recovering || executor == nullptr || executor->control == nullptr ||
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
  delivery_.deliver(*framework, *executor);
}

void ExecutorConnections::reregister_executor(
    const std::string& from, const mesos::internal::ReregisterExecutorMessage& message) {
  Framework* framework = nullptr;
  Executor* executor = frameworks_.find_executor(
      {message.framework_id().value(), message.executor_id().value()}, &framework);
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
  for (const auto& update : message.updates()) (void)updates_.report(update, from);
  drop_unknown(*framework, *executor, message.tasks());
  if (executor->state != Executor::State::kRunning) return;
  if (has_nothing_to_do(*executor)) {
    shut_down(*framework, *executor);
    return;
  }
  delivery_.deliver(*framework, *executor);
}

// --- Messages ---

void ExecutorConnections::message_to_executor(
    const mesos::internal::FrameworkToExecutorMessage& message) {
  Framework* framework = nullptr;
  const Executor* executor = frameworks_.find_executor(
      {message.framework_id().value(), message.executor_id().value()}, &framework);
  const bool deliverable = agent_.state.registered && executor != nullptr &&
                           !framework->terminating && executor->state == Executor::State::kRunning;
  if (!deliverable) {
    ++agent_.state.counters.invalid_framework_messages;
    LOG(WARNING) << "Dropping a message of framework " << message.framework_id().value()
                 << " to executor '" << message.executor_id().value() << "', which cannot take it";
    return;
  }
  ++agent_.state.counters.valid_framework_messages;
  executor->control->link->message(message.framework_id(), message.executor_id(), message.data());
}

void ExecutorConnections::message_from_executor(
    const mesos::internal::ExecutorToFrameworkMessage& message) {
  const Framework* framework = frameworks_.find(message.framework_id().value());
  if (!agent_.state.registered || framework == nullptr || framework->terminating) {
    ++agent_.state.counters.invalid_framework_messages;
    LOG(WARNING) << "Dropping a message of executor '" << message.executor_id().value()
                 << "' to framework " << message.framework_id().value();
    return;
  }
  ++agent_.state.counters.valid_framework_messages;
  mesos::internal::ExecutorToFrameworkMessage complete = message;
  *complete.mutable_slave_id() = agent_.info.id();
  if (framework->pid.empty()) {
    services_.to_master(complete);
  } else {
    services_.to_process(framework->pid, complete);
  }
}

}  // namespace agent
