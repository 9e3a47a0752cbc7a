// What of frameworks that ask for it is written to disk, when. What cannot be written is logged,
// and the agent goes on: only a restart would miss it. (Updates are different: see take().)

#include <glog/logging.h>

#include "agent/meta/checkpoints.h"
#include "agent/tasks/tasks.h"

namespace agent {

namespace {

void log_failure(const base::Status& done) {
  if (!done) LOG(ERROR) << "Failed to checkpoint: " << done.error().message;
}

}  // namespace

MetaPaths Tasks::paths() const { return {agent_.flags.work_dir, agent_.info.id().value()}; }

RunId Tasks::run_of(const Framework& framework, const Executor& executor) {
  return {framework.info.id().value(), executor.info.executor_id().value(),
          executor.container_id.to_string()};
}

void Tasks::checkpoint_framework(const Framework& framework) const {
  if (!framework.info.checkpoint()) return;
  log_failure(agent::checkpoint_framework(paths(), framework.info, framework.pid));
}

void Tasks::checkpoint_executor(const Framework& framework, const Executor& executor) const {
  if (!framework.info.checkpoint()) return;
  log_failure(agent::checkpoint_executor(paths(), framework.info.id().value(), executor.info,
                                         executor.is_command_executor));
  log_failure(checkpoint_run(paths(), run_of(framework, executor)));
}

void Tasks::checkpoint_link(const Framework& framework, const Executor& executor) const {
  if (!framework.info.checkpoint()) return;
  const std::string pid = executor.control->link->pid();
  const RunId run = run_of(framework, executor);
  log_failure(pid.empty() ? mark_http(paths(), run) : checkpoint_libprocess_pid(paths(), run, pid));
}

void Tasks::checkpoint_task(const Framework& framework, const Executor& executor,
                            const mesos::v1::TaskInfo& task) const {
  if (!framework.info.checkpoint()) return;
  log_failure(agent::checkpoint_task(paths(), run_of(framework, executor),
                                     staging_task(task, framework.info.id())));
}

void Tasks::checkpoint_completed(const Framework& framework, const Executor& executor) const {
  if (!framework.info.checkpoint()) return;
  log_failure(mark_completed(paths(), run_of(framework, executor)));
}

std::optional<std::string> Tasks::update_log(const Framework& framework, const Executor* executor,
                                             const std::string& task) const {
  if (!framework.info.checkpoint() || executor == nullptr) return std::nullopt;
  return paths().task_updates(run_of(framework, *executor), task);
}

}  // namespace agent
