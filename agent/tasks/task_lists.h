// Looking through lists of tasks: TaskInfo, Task, or whatever else has a task_id().
#pragma once

#include <algorithm>

#include "agent/meta/update_log.h"
#include "agent/state.h"
#include "proto/ids.h"

namespace agent {

// The end of the list if the task is not there.
auto find_task(auto& tasks, const mesos::v1::TaskID& id) {
  return std::ranges::find_if(tasks, [&id](const auto& task) { return task.task_id() == id; });
}

bool has_task(const auto& tasks, const mesos::v1::TaskID& id) {
  return find_task(tasks, id) != tasks.end();
}

// Whether a status of one of the executor's tasks changes anything: of a task that has ended, or
// has not been sent to the executor, only its end would.
inline bool is_news(const Executor& executor, const mesos::v1::TaskStatus& status) {
  return has_task(executor.launched_tasks, status.task_id()) ||
         (is_terminal(status.state()) && has_task(executor.queued_tasks, status.task_id()));
}

}  // namespace agent
