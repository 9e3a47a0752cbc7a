#include "agent/tasks/task_checkpoints.h"

#include <glog/logging.h>

#include "agent/meta/checkpoints.h"
#include "agent/tasks/executor_control.h"

namespace agent {

namespace {

void log_failure(const base::Status& done) {
  if (!done) LOG(ERROR) << "Failed to checkpoint: " << done.error().message;
}

}  // namespace

MetaPaths TaskCheckpoints::paths() const { return {work_dir_, info_.id().value()}; }

RunId TaskCheckpoints::run_of(const Framework& framework, const Executor& executor) {
  return {framework.info.id().value(), executor.info.executor_id().value(),
          executor.container_id.to_string()};
}

void TaskCheckpoints::write(const Framework& framework) const {
  if (!framework.info.checkpoint()) return;
  log_failure(checkpoint_framework(paths(), framework.info, framework.pid));
}

void TaskCheckpoints::write(const Framework& framework, const Executor& executor) const {
  if (!framework.info.checkpoint()) return;
  log_failure(checkpoint_executor(paths(), framework.info.id().value(), executor.info,
                                  executor.is_command_executor));
  log_failure(checkpoint_run(paths(), run_of(framework, executor)));
}

void TaskCheckpoints::write_link(const Framework& framework, const Executor& executor) const {
  if (!framework.info.checkpoint()) return;
  const std::string pid = executor.control->link->pid();
  const RunId run = run_of(framework, executor);
  log_failure(pid.empty() ? mark_http(paths(), run) : checkpoint_libprocess_pid(paths(), run, pid));
}

void TaskCheckpoints::write_task(const Framework& framework, const Executor& executor,
                                 const mesos::v1::TaskInfo& task) const {
  if (!framework.info.checkpoint()) return;
  log_failure(checkpoint_task(paths(), run_of(framework, executor),
                              staging_task(task, framework.info.id())));
}

void TaskCheckpoints::write_completed(const Framework& framework, const Executor& executor) const {
  if (!framework.info.checkpoint()) return;
  log_failure(mark_completed(paths(), run_of(framework, executor)));
}

std::optional<std::string> TaskCheckpoints::update_log(const Framework& framework,
                                                       const Executor* executor,
                                                       const std::string& task) const {
  if (!framework.info.checkpoint() || executor == nullptr) return std::nullopt;
  return paths().task_updates(run_of(framework, *executor), task);
}

void TaskCheckpoints::write_drain(const mesos::v1::DrainConfig& config) const {
  if (auto kept = checkpoint_drain(paths(), config); !kept) LOG(ERROR) << kept.error().message;
}

void TaskCheckpoints::remove_drain() const {
  if (auto removed = agent::remove_drain(paths()); !removed) LOG(ERROR) << removed.error().message;
}

}  // namespace agent
