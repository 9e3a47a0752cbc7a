#include "agent/tasks/task_recovery.h"

#include <glog/logging.h>

#include <set>
#include <utility>

#include "agent/gc/garbage_path.h"
#include "agent/meta/update_log.h"
#include "agent/tasks/driver_link.h"
#include "agent/tasks/executor_control.h"
#include "agent/tasks/task_status.h"
#include "base/combine.h"
#include "base/duration.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::Task;
using mesos::v1::TaskStatus;

namespace {

// As the task's updates say, up to the first that ends it.
void replay(const RecoveredTask& recovered, mesos::v1::Task* task, bool* acknowledged) {
  *acknowledged = false;
  for (const auto& update : recovered.updates) {
    const auto& status = update.status();
    add_status(status, *task);
    if (!recovered.acknowledged.contains(update.uuid()) && !task->has_status_update_uuid()) {
      task->set_status_update_state(status.state());
      task->set_status_update_uuid(update.uuid());
    }
    if (is_terminal(status.state())) {
      *acknowledged = recovered.acknowledged.contains(update.uuid());
      return;
    }
  }
}

Task<void> settled(std::shared_ptr<ExecutorControl> control) { co_await control->settled.wait(); }

}  // namespace

TaskRecovery::TaskRecovery(Agent& agent, ToProcess to_process, const TaskCheckpoints& checkpoints,
                           const TaskGarbage& garbage, Frameworks& frameworks,
                           ExecutorContainers& containers, StatusUpdates& updates, Kills& kills)
    : agent_(agent),
      state_(agent.state),
      to_process_(std::move(to_process)),
      checkpoints_(checkpoints),
      garbage_(garbage),
      frameworks_(frameworks),
      containers_(containers),
      updates_(updates),
      kills_(kills) {}

Task<void> TaskRecovery::recover(RecoveredAgent recovered) {
  const bool cleanup = agent_.flags.recover == "cleanup";
  state_.terminating = cleanup;
  // Executors that end may say how their tasks have ended.
  if (cleanup) state_.recovering = false;
  state_.drain_config = recovered.drain;
  for (const auto& framework : recovered.frameworks) recover_framework(framework);
  destroy_strangers();
  const bool any = !state_.frameworks.empty();
  // Executors whose containers have ended meanwhile are done with in the order of things.
  std::vector<ExecutorKey> waiting;
  for (auto& [framework_id, framework] : state_.frameworks) {
    for (auto& [executor_id, executor] : framework.executors) {
      waiting.push_back({framework_id, executor_id});
    }
  }
  for (const auto& key : waiting) containers_.take_up(key);
  if (any) {
    if (cleanup) {
      end_recovered(recovered);
    } else {
      reconnect(recovered);
    }
    co_await executors_back(waiting);
  }
  co_await garbage_.discard_leftovers(recovered);
  state_.recovering = false;
  for (const auto& key : waiting) {
    Framework* framework = nullptr;
    Executor* executor = frameworks_.find_executor(key, &framework);
    if (executor == nullptr || executor->state != Executor::State::kRegistering) continue;
    const std::string limit = base::to_string(agent_.flags.executor_reregistration_timeout);
    LOG(WARNING) << "Executor '" << key.executor << "' of framework " << key.framework
                 << " did not reregister within " << limit;
    containers_.destroy(
        *executor, {gone_state(framework->info), TaskStatus::REASON_EXECUTOR_REREGISTRATION_TIMEOUT,
                    concat("Executor did not reregister within ", limit)});
  }
  if (cleanup) co_return;
  if (state_.drain_config) kills_.kill_all_for_drain();
  kills_.end_drain_if_done();
}

// --recover=cleanup. Drivers are told to end where they are; executors that use HTTP are when they
// come (see subscribe()); of the others nobody knows how to reach them.
void TaskRecovery::end_recovered(const RecoveredAgent& recovered) {
  for (const auto& framework : recovered.frameworks) {
    for (const auto& [info, generated, run] : framework.executors) {
      const ExecutorKey key{framework.info.id().value(), info.executor_id().value()};
      Framework* its_framework = nullptr;
      Executor* executor = frameworks_.find_executor(key, &its_framework);
      if (executor == nullptr) continue;  // completed
      if (run.libprocess_pid) {
        executor->control->link =
            std::make_unique<DriverLink>(*run.libprocess_pid, agent_.info.id(), to_process_);
        executor->control->settled.set();
        shut_down(*its_framework, *executor);
      } else if (!run.http) {
        LOG(INFO) << "Destroying executor '" << key.executor << "' of framework " << key.framework
                  << ", which has never connected";
        containers_.destroy(*executor, {});
      }
    }
  }
}

// Until all have come, or ended, or their time is over.
Task<void> TaskRecovery::executors_back(const std::vector<ExecutorKey>& waiting) {
  std::vector<Task<void>> all;
  for (const auto& key : waiting) {
    if (const Executor* executor = frameworks_.find_executor(key)) {
      all.push_back(settled(executor->control));
    }
  }
  co_await base::with_timeout(base::all_of(std::move(all)),
                              agent_.flags.executor_reregistration_timeout);
}

// Executors of frameworks that do not checkpoint, and of runs that are not on disk.
void TaskRecovery::destroy_strangers() {
  std::set<isolators::ContainerId> known;
  for (const auto& [framework_id, framework] : state_.frameworks) {
    for (const auto& [executor_id, executor] : framework.executors) {
      known.insert(executor.container_id);
    }
  }
  const std::string agents = concat(WorkPaths(agent_.flags.work_dir).agents(), "/");
  for (const auto& [id, container] : agent_.containers.containers()) {
    if (id.has_parent() || known.contains(id)) continue;
    if (!container->config().directory().starts_with(agents)) continue;
    LOG(WARNING) << "Destroying container " << id.to_string() << ", an executor that is not known";
    // Its sandbox is of use now, however long ago it was written to.
    (void)mark_changed(agent_.flags.work_dir, container->config().directory());
    container->request_destroy();
  }
}

// Drivers wait to be called. The others come by themselves.
void TaskRecovery::reconnect(const RecoveredAgent& recovered) {
  mesos::internal::ReconnectExecutorMessage message;
  *message.mutable_slave_id() = agent_.info.id();
  for (const auto& framework : recovered.frameworks) {
    for (const auto& executor : framework.executors) {
      if (executor.run.libprocess_pid && !executor.run.completed) {
        to_process_(*executor.run.libprocess_pid, message);
      }
    }
  }
}

void TaskRecovery::recover_framework(const RecoveredFramework& recovered) {
  Framework framework;
  framework.info = recovered.info;
  framework.pid = scheduler_pid(recovered.pid);
  for (const auto& executor : recovered.executors) recover_executor(framework, executor);
  frameworks_.restore(std::move(framework));
}

void TaskRecovery::recover_executor(Framework& framework, const RecoveredExecutor& recovered) {
  Executor executor;
  executor.info = recovered.info;
  executor.is_command_executor = recovered.generated_for_command_task;
  executor.container_id = isolators::ContainerId::root_of(recovered.run.container);
  const RunId run = TaskCheckpoints::run_of(framework, executor);
  executor.sandbox = checkpoints_.paths().sandbox(run);
  for (const auto& task : recovered.run.tasks) {
    mesos::v1::Task known = task.task;
    bool acknowledged = false;
    replay(task, &known, &acknowledged);
    if (acknowledged || recovered.run.completed) {
      // Of a run that is completed all goes at once.
      if (!recovered.run.completed) {
        garbage_.discard_task(run, known.task_id().value(), TaskGarbage::Age::kAsOnDisk);
      }
      executor.completed_tasks.push_back(std::move(known));
      continue;
    }
    if (auto kept = updates_.restore(framework.info.id().value(), task); !kept) {
      LOG(ERROR) << kept.error().message;
    }
    auto& tasks = is_terminal(known.state()) ? executor.terminated_tasks : executor.launched_tasks;
    tasks.push_back(std::move(known));
  }
  if (recovered.run.completed) {
    executor.state = Executor::State::kTerminated;
    Frameworks::archive(framework, std::move(executor));
    return;
  }
  executor.control = std::make_shared<ExecutorControl>();
  framework.executors.emplace(executor.info.executor_id().value(), std::move(executor));
}

}  // namespace agent
