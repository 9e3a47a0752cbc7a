// Frameworks come with their first task and go with their last executor.

#include <glog/logging.h>

#include <utility>

#include "agent/tasks/task_status.h"
#include "agent/tasks/tasks.h"
#include "base/strings.h"

namespace agent {

namespace {

constexpr size_t kCompletedFrameworks = 50;
constexpr size_t kCompletedExecutors = 150;  // of each framework

template <typename Tasks>
auto find_task(Tasks& tasks, const std::string& id) {
  auto at = tasks.begin();
  while (at != tasks.end() && at->task_id().value() != id) ++at;
  return at;
}

}  // namespace

Tasks::Tasks(Agent& agent, TaskServices services)
    : agent_(agent),
      state_(agent.state),
      services_(std::move(services)),
      updates_([this](const Update& head) { forward(head); }) {}

Tasks::~Tasks() = default;

Framework* Tasks::find_framework(const std::string& id) {
  const auto at = state_.frameworks.find(id);
  return at == state_.frameworks.end() ? nullptr : &at->second;
}

Executor* Tasks::find_executor(const ExecutorKey& key, Framework** framework) {
  Framework* found = find_framework(key.framework);
  if (framework != nullptr) *framework = found;
  if (found == nullptr) return nullptr;
  const auto at = found->executors.find(key.executor);
  return at == found->executors.end() ? nullptr : &at->second;
}

Executor* Tasks::find_executor_of_task(Framework& framework, const std::string& task) {
  for (auto& [id, executor] : framework.executors) {
    if (find_task(executor.queued_tasks, task) != executor.queued_tasks.end() ||
        find_task(executor.launched_tasks, task) != executor.launched_tasks.end() ||
        find_task(executor.terminated_tasks, task) != executor.terminated_tasks.end()) {
      return &executor;
    }
  }
  return nullptr;
}

Framework& Tasks::add_framework(const mesos::v1::FrameworkInfo& info, const std::string& pid) {
  const auto [at, added] = state_.frameworks.try_emplace(info.id().value());
  Framework& framework = at->second;
  if (!added) return framework;
  // One that was here before goes on where it had ended.
  const auto archived = std::ranges::find_if(
      state_.completed_frameworks,
      [&info](const Framework& completed) { return completed.info.id() == info.id(); });
  if (archived != state_.completed_frameworks.end()) {
    framework.completed_executors = std::move(archived->completed_executors);
    state_.completed_frameworks.erase(archived);
  }
  framework.info = info;
  framework.pid = scheduler_pid(pid);
  unschedule_framework(info.id().value());
  checkpoint_framework(framework);
  return framework;
}

void Tasks::remove_if_idle(Framework& framework) {
  if (!framework.executors.empty() || !framework.pending_tasks.empty()) return;
  const std::string id = framework.info.id().value();
  LOG(INFO) << "Framework " << id << " has no executors and no tasks any more";
  // Else what was said of tasks that were never launched may still have to be said again.
  if (framework.terminating) updates_.drop_framework(id);
  framework.terminating = false;
  discard_framework(framework, GarbageCollector::Age::kFromNow);
  archive(std::move(framework));
  state_.frameworks.erase(id);
  strangers_.erase({id, {}});
  end_drain_if_done();
  framework_gone_.set();
}

void Tasks::archive(Framework framework) {
  state_.completed_frameworks.push_back(std::move(framework));
  if (state_.completed_frameworks.size() > kCompletedFrameworks) {
    state_.completed_frameworks.pop_front();
  }
}

void Tasks::archive(Framework& framework, Executor executor) {
  framework.completed_executors.push_back(std::move(executor));
  if (framework.completed_executors.size() > kCompletedExecutors) {
    framework.completed_executors.pop_front();
  }
}

void Tasks::update_framework(const mesos::internal::UpdateFrameworkMessage& message) {
  Framework* framework = find_framework(message.framework_id().value());
  if (framework == nullptr || framework->terminating) {
    LOG(INFO) << "Ignoring an update of framework " << message.framework_id().value() << ", which "
              << (framework == nullptr ? "has nothing here" : "is ending");
    return;
  }
  if (message.has_framework_info()) {
    if (message.framework_info().id() != message.framework_id()) {
      LOG(WARNING) << "Ignoring an update of framework " << message.framework_id().value()
                   << " that describes another one";
      return;
    }
    framework->info = message.framework_info();
  }
  framework->pid = scheduler_pid(message.pid());
  checkpoint_framework(*framework);
  // A scheduler that has failed over waits for what was not acknowledged.
  updates_.resume();
}

void Tasks::shut_down_framework(const mesos::internal::ShutdownFrameworkMessage& message) {
  Framework* framework = find_framework(message.framework_id().value());
  if (framework == nullptr) {
    LOG(INFO) << "Nothing to shut down of framework " << message.framework_id().value();
    updates_.drop_framework(message.framework_id().value());
    return;
  }
  shut_down(*framework);
}

void Tasks::shut_down(Framework& framework) {
  if (framework.terminating) return;
  LOG(INFO) << "Shutting down framework " << framework.info.id().value();
  framework.terminating = true;
  framework.pending_tasks.clear();
  framework.pending_groups.clear();
  std::vector<std::string> executors;
  for (const auto& [id, executor] : framework.executors) executors.push_back(id);
  for (const auto& id : executors) {
    Executor& executor = framework.executors.at(id);
    if (executor.state == Executor::State::kTerminated) {
      remove_if_done(framework, executor);
    } else {
      shut_down(framework, executor);
    }
  }
  remove_if_idle(framework);
}

void Tasks::shut_down() {
  state_.terminating = true;
  std::vector<std::string> frameworks;
  for (const auto& [id, framework] : state_.frameworks) frameworks.push_back(id);
  for (const auto& id : frameworks) shut_down(state_.frameworks.at(id));
}

base::Task<void> Tasks::all_gone() {
  while (!state_.frameworks.empty()) {
    framework_gone_.clear();
    co_await framework_gone_.wait();
  }
}

base::Task<void> Tasks::end_uncheckpointed() {
  const auto left = [this] {
    std::vector<std::string> ids;
    for (const auto& [id, framework] : state_.frameworks) {
      if (!framework.info.checkpoint()) ids.push_back(id);
    }
    return ids;
  };
  for (const auto& id : left()) shut_down(state_.frameworks.at(id));
  while (!left().empty()) {
    framework_gone_.clear();
    co_await framework_gone_.wait();
  }
}

// --- Messages between a scheduler and its executors: best effort, both ways ---

void Tasks::message_to_executor(const mesos::internal::FrameworkToExecutorMessage& message) {
  Framework* framework = nullptr;
  const Executor* executor =
      find_executor({message.framework_id().value(), message.executor_id().value()}, &framework);
  const bool deliverable = state_.registered && executor != nullptr && !framework->terminating &&
                           executor->state == Executor::State::kRunning;
  if (!deliverable) {
    ++state_.counters.invalid_framework_messages;
    LOG(WARNING) << "Dropping a message of framework " << message.framework_id().value()
                 << " to executor '" << message.executor_id().value() << "', which cannot take it";
    return;
  }
  ++state_.counters.valid_framework_messages;
  executor->control->link->message(message.framework_id(), message.executor_id(), message.data());
}

void Tasks::message_from_executor(const mesos::internal::ExecutorToFrameworkMessage& message) {
  const Framework* framework = find_framework(message.framework_id().value());
  if (!state_.registered || framework == nullptr || framework->terminating) {
    ++state_.counters.invalid_framework_messages;
    LOG(WARNING) << "Dropping a message of executor '" << message.executor_id().value()
                 << "' to framework " << message.framework_id().value();
    return;
  }
  ++state_.counters.valid_framework_messages;
  mesos::internal::ExecutorToFrameworkMessage complete = message;
  *complete.mutable_slave_id() = agent_.info.id();
  if (framework->pid.empty()) {
    services_.to_master(complete);
  } else {
    services_.to_process(framework->pid, complete);
  }
}

}  // namespace agent
