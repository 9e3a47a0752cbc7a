#include "agent/tasks/frameworks.h"

#include <glog/logging.h>
#include <sys/stat.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/tasks/executor_control.h"
#include "agent/tasks/task_lists.h"
#include "agent/tasks/task_status.h"

namespace agent {

using base::Task;

namespace {

constexpr size_t kCompletedFrameworks = 50;
constexpr size_t kCompletedExecutors = 150;  // of each framework
constexpr size_t kCompletedTasks = 200;      // of each executor

// Once, since it stays: root alone can give it to others.
void note_owner(Executor& executor) {
  struct stat sandbox{};
  if (stat(executor.sandbox.c_str(), &sandbox) == 0) executor.sandbox_owner = sandbox.st_uid;
}

}  // namespace

Frameworks::Frameworks(State& state, const TaskCheckpoints& checkpoints, const TaskGarbage& garbage,
                       Hooks hooks)
    : state_(state), checkpoints_(checkpoints), garbage_(garbage), hooks_(std::move(hooks)) {}

// --- Finding ---

Framework* Frameworks::find(const std::string& id) {
  const auto at = state_.frameworks.find(id);
  return at == state_.frameworks.end() ? nullptr : &at->second;
}

Executor* Frameworks::find_executor(const ExecutorKey& key, Framework** framework) {
  Framework* found = find(key.framework);
  if (framework != nullptr) *framework = found;
  if (found == nullptr) return nullptr;
  const auto at = found->executors.find(key.executor);
  return at == found->executors.end() ? nullptr : &at->second;
}

Executor* Frameworks::find_executor_of_task(Framework& framework, const mesos::v1::TaskID& task) {
  for (auto& [id, executor] : framework.executors) {
    if (has_task(executor.queued_tasks, task) || has_task(executor.launched_tasks, task) ||
        has_task(executor.terminated_tasks, task)) {
      return &executor;
    }
  }
  return nullptr;
}

// --- Coming ---

Framework& Frameworks::add(const mesos::v1::FrameworkInfo& info, const std::string& pid) {
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
  garbage_.keep_framework(info.id().value());
  checkpoints_.write(framework);
  return framework;
}

Task<base::Status> Frameworks::reclaim(ExecutorKey key) {
  CO_TRY(const bool whole, co_await garbage_.reclaim(key));
  if (whole) co_return {};
  // What was written when the framework came has gone with the rest.
  if (const Framework* framework = find(key.framework)) checkpoints_.write(*framework);
  co_return {};
}

Executor& Frameworks::add_executor(Framework& framework, Executor made) {
  made.control = std::make_shared<ExecutorControl>();
  note_owner(made);
  const std::string id = made.info.executor_id().value();
  Executor& executor = framework.executors[id] = std::move(made);
  checkpoints_.write(framework, executor);
  return executor;
}

bool Frameworks::update(const mesos::internal::UpdateFrameworkMessage& message) {
  Framework* framework = find(message.framework_id().value());
  if (framework == nullptr || framework->terminating) {
    LOG(INFO) << "Ignoring an update of framework " << message.framework_id().value() << ", which "
              << (framework == nullptr ? "has nothing here" : "is ending");
    return false;
  }
  if (message.has_framework_info()) {
    if (message.framework_info().id() != message.framework_id()) {
      LOG(WARNING) << "Ignoring an update of framework " << message.framework_id().value()
                   << " that describes another one";
      return false;
    }
    framework->info = message.framework_info();
  }
  framework->pid = scheduler_pid(message.pid());
  checkpoints_.write(*framework);
  return true;
}

void Frameworks::restore(Framework framework) {
  const std::string id = framework.info.id().value();
  if (framework.executors.empty()) {
    garbage_.discard_framework(id, framework.info.checkpoint(), TaskGarbage::Age::kAsOnDisk);
    archive(std::move(framework));
  } else {
    for (auto& [executor_id, executor] : framework.executors) note_owner(executor);
    state_.frameworks.emplace(id, std::move(framework));
  }
}

// --- Going ---

void Frameworks::complete_task(Framework& framework, Executor& executor,
                               const mesos::v1::TaskID& id) {
  const auto task = find_task(executor.terminated_tasks, id);
  if (task != executor.terminated_tasks.end()) {
    if (framework.info.checkpoint()) {
      garbage_.discard_task(TaskCheckpoints::run_of(framework, executor), id.value(),
                            TaskGarbage::Age::kFromNow);
    }
    executor.completed_tasks.push_back(std::move(*task));
    executor.terminated_tasks.erase(task);
    if (executor.completed_tasks.size() > kCompletedTasks) executor.completed_tasks.pop_front();
  }
  remove_if_done(framework, executor);
}

void Frameworks::remove_if_done(Framework& framework, Executor& executor) {
  if (executor.state != Executor::State::kTerminated) return;
  const bool wanted = !framework.terminating && !state_.terminating;
  if (wanted && (!executor.queued_tasks.empty() || !executor.launched_tasks.empty() ||
                 !executor.terminated_tasks.empty())) {
    return;
  }
  // First: if the agent ends in between, the next run takes care of the executor again.
  garbage_.discard_executor(TaskCheckpoints::run_of(framework, executor),
                            framework.info.checkpoint());
  checkpoints_.write_completed(framework, executor);
  executor.control.reset();
  const ExecutorKey key{framework.info.id().value(), executor.info.executor_id().value()};
  archive(framework, std::move(executor));
  framework.executors.erase(key.executor);
  hooks_.executor_gone(key);
}

void Frameworks::remove_if_idle(Framework& framework) {
  if (!framework.executors.empty() || !framework.pending_tasks.empty()) return;
  const std::string id = framework.info.id().value();
  LOG(INFO) << "Framework " << id << " has no executors and no tasks any more";
  const bool wanted = !framework.terminating;
  framework.terminating = false;
  garbage_.discard_framework(id, framework.info.checkpoint(), TaskGarbage::Age::kFromNow);
  archive(std::move(framework));
  state_.frameworks.erase(id);
  hooks_.framework_gone(id, wanted);
  gone_.set();
}

void Frameworks::abandon(const RunId& run) {
  if (Framework* framework = find(run.framework)) {
    garbage_.discard_executor(run, framework->info.checkpoint());
    remove_if_idle(*framework);
    return;
  }
  // It has gone meanwhile, when some of these were not there yet, or were just being kept by
  // reclaim(). What there are no checkpoints of is passed over.
  garbage_.discard_executor(run, true);
  garbage_.discard_framework(run.framework, true, TaskGarbage::Age::kFromNow);
}

void Frameworks::archive(Framework framework) {
  state_.completed_frameworks.push_back(std::move(framework));
  if (state_.completed_frameworks.size() > kCompletedFrameworks) {
    state_.completed_frameworks.pop_front();
  }
}

void Frameworks::archive(Framework& framework, Executor executor) {
  framework.completed_executors.push_back(std::move(executor));
  if (framework.completed_executors.size() > kCompletedExecutors) {
    framework.completed_executors.pop_front();
  }
}

void Frameworks::shut_down(Framework& framework) {
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
      agent::shut_down(framework, executor);
    }
  }
  remove_if_idle(framework);
}

void Frameworks::shut_down_all() {
  state_.terminating = true;
  std::vector<std::string> frameworks;
  for (const auto& [id, framework] : state_.frameworks) frameworks.push_back(id);
  for (const auto& id : frameworks) shut_down(state_.frameworks.at(id));
}

Task<void> Frameworks::all_gone() {
  while (!state_.frameworks.empty()) {
    gone_.clear();
    co_await gone_.wait();
  }
}

Task<void> Frameworks::end_uncheckpointed() {
  const auto left = [this] {
    std::vector<std::string> ids;
    for (const auto& [id, framework] : state_.frameworks) {
      if (!framework.info.checkpoint()) ids.push_back(id);
    }
    return ids;
  };
  for (const auto& id : left()) shut_down(state_.frameworks.at(id));
  while (!left().empty()) {
    gone_.clear();
    co_await gone_.wait();
  }
}

}  // namespace agent
