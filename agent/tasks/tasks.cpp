#include "agent/tasks/tasks.h"

#include <glog/logging.h>

#include <utility>

#include "agent/tasks/executor_control.h"

namespace agent {

Tasks::Tasks(Agent& agent, TaskServices services)
    : agent_(agent),
      services_(std::move(services)),
      checkpoints_(agent.flags.work_dir, agent.info),
      garbage_(agent.garbage, checkpoints_),
      frameworks_(
          agent.state, checkpoints_, garbage_,
          {.executor_gone = [this](const auto& key) { updates_.executor_gone(key); },
           .framework_gone = [this](const auto& id, bool wanted) { framework_gone(id, wanted); }}),
      containers_(agent, frameworks_, checkpoints_,
                  [this](const auto& key, const auto& end) { executor_ended(key, end); }),
      updates_(agent, frameworks_, containers_, checkpoints_, services_.to_master),
      delivery_(containers_, updates_, checkpoints_),
      launches_(agent, services_, frameworks_, containers_, updates_, delivery_),
      kills_(agent.state, frameworks_, updates_, checkpoints_),
      connections_(agent, services_, frameworks_, updates_, delivery_, checkpoints_),
      recovery_(agent, services_.to_process, checkpoints_, garbage_, frameworks_, containers_,
                updates_, kills_) {}

Tasks::~Tasks() = default;

// --- From the master ---

void Tasks::run_task(const mesos::internal::RunTaskMessage& message) {
  launches_.run_task(message);
}

void Tasks::run_task_group(const mesos::internal::RunTaskGroupMessage& message) {
  launches_.run_task_group(message);
}

void Tasks::kill_task(const mesos::internal::KillTaskMessage& message) {
  kills_.kill_task(message);
}

void Tasks::shut_down_framework(const mesos::internal::ShutdownFrameworkMessage& message) {
  const std::string& id = message.framework_id().value();
  if (Framework* framework = frameworks_.find(id)) {
    frameworks_.shut_down(*framework);
    return;
  }
  LOG(INFO) << "Nothing to shut down of framework " << id;
  updates_.drop_framework(id);
}

void Tasks::shut_down_executor(const mesos::internal::ShutdownExecutorMessage& message) {
  const ExecutorKey key{message.framework_id().value(), message.executor_id().value()};
  Framework* framework = nullptr;
  Executor* executor = frameworks_.find_executor(key, &framework);
  if (executor == nullptr) {
    LOG(INFO) << "There is no executor '" << key.executor << "' of framework " << key.framework
              << " to shut down";
    return;
  }
  agent::shut_down(*framework, *executor);
}

void Tasks::update_framework(const mesos::internal::UpdateFrameworkMessage& message) {
  // A scheduler that has failed over waits for what was not acknowledged.
  if (frameworks_.update(message)) updates_.resume();
}

void Tasks::message_to_executor(const mesos::internal::FrameworkToExecutorMessage& message) {
  connections_.message_to_executor(message);
}

void Tasks::acknowledge(const mesos::internal::StatusUpdateAcknowledgementMessage& message) {
  updates_.acknowledge(message);
}

void Tasks::drain(const mesos::internal::DrainSlaveMessage& message) { kills_.drain(message); }

void Tasks::registered() { updates_.resume(); }

void Tasks::reregistered(const mesos::internal::SlaveReregisteredMessage& message) {
  updates_.answer(message);
}

void Tasks::disconnected() { updates_.pause(); }

void Tasks::operations_changed(const mesos::internal::UpdateSlaveMessage::Operations& operations) {
  agent_.state.operations.assign(operations.operations().begin(), operations.operations().end());
  kills_.end_drain_if_done();
}

void Tasks::shut_down() { frameworks_.shut_down_all(); }

base::Task<void> Tasks::all_gone() { return frameworks_.all_gone(); }

base::Task<void> Tasks::end_uncheckpointed() { return frameworks_.end_uncheckpointed(); }

// --- From executors ---

void Tasks::subscribe(const mesos::v1::executor::Call& call, std::shared_ptr<EventStream> stream) {
  connections_.subscribe(call, std::move(stream));
}

base::Status Tasks::update(const mesos::v1::executor::Call& call) { return updates_.report(call); }

void Tasks::message_from_executor(const mesos::internal::ExecutorToFrameworkMessage& message) {
  connections_.message_from_executor(message);
}

void Tasks::register_executor(const std::string& from,
                              const mesos::internal::RegisterExecutorMessage& message) {
  connections_.register_executor(from, message);
}

void Tasks::reregister_executor(const std::string& from,
                                const mesos::internal::ReregisterExecutorMessage& message) {
  connections_.reregister_executor(from, message);
}

void Tasks::update_from_driver(const std::string& from,
                               const mesos::internal::StatusUpdateMessage& message) {
  (void)updates_.report(message.update(), from);  // what is refused is not acknowledged
}

base::Task<void> Tasks::recover(RecoveredAgent recovered) {
  return recovery_.recover(std::move(recovered));
}

// --- Ends ---

void Tasks::executor_ended(const ExecutorKey& key,
                           const ExecutorContainers::Termination& termination) {
  Framework* framework = nullptr;
  Executor* executor = frameworks_.find_executor(key, &framework);
  if (!framework->terminating) {
    updates_.end_tasks(*framework, *executor, termination);
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
  frameworks_.remove_if_done(*framework, *executor);
  frameworks_.remove_if_idle(*framework);
}

void Tasks::framework_gone(const std::string& id, bool wanted) {
  updates_.framework_gone(id, wanted);
  kills_.end_drain_if_done();
}

}  // namespace agent
