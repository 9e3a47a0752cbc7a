// What of frameworks, executors and tasks is written to disk as they come and change: for the next
// run of the agent, which reads it with recover_meta() (agent/meta/recover.h). The agent's own
// updates of tasks are written by UpdateStreams.
#pragma once

#include <optional>
#include <string>

#include "agent/meta/paths.h"
#include "agent/state.h"

namespace agent {

// Has no state: where things are follows from the agent's id, and what is written from the
// frameworks. Of those that do not checkpoint nothing is written. What cannot be written is logged,
// and the agent goes on: only a restart would miss it.
class TaskCheckpoints {
 public:
  // `info` is the agent's; its id must be set before anything else is called. Both must outlive
  // this.
  TaskCheckpoints(const std::string& work_dir, const mesos::v1::AgentInfo& info)
      : work_dir_(work_dir), info_(info) {}

  MetaPaths paths() const;
  static RunId run_of(const Framework& framework, const Executor& executor);

  // When a framework comes, and when it changes.
  void write(const Framework& framework) const;

  // When an executor's sandbox has been made.
  void write(const Framework& framework, const Executor& executor) const;

  // How the executor is reached, which it must be.
  void write_link(const Framework& framework, const Executor& executor) const;

  // Before the task is handed to its executor.
  void write_task(const Framework& framework, const Executor& executor,
                  const mesos::v1::TaskInfo& task) const;

  // When the executor has ended, and all its tasks' updates are acknowledged.
  void write_completed(const Framework& framework, const Executor& executor) const;

  // Where a task's updates are to be written; nothing if they are not, as those of tasks without an
  // executor.
  std::optional<std::string> update_log(const Framework& framework, const Executor* executor,
                                        const std::string& task) const;

  // That the agent is being drained: whatever the frameworks ask for.
  void write_drain(const mesos::v1::DrainConfig& config) const;
  void remove_drain() const;

 private:
  const std::string& work_dir_;
  const mesos::v1::AgentInfo& info_;
};

}  // namespace agent
