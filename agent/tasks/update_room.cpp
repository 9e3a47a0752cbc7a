#include "agent/tasks/update_room.h"

#include "agent/tasks/task_lists.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::fail;

namespace {

// Of one task; and of all that an executor reports of though the agent does not know them.
constexpr size_t kMostBytes = 16 * 1024 * 1024;

// So many of the latter. An honest executor has none but such as ended long ago.
constexpr size_t kMostStrangers = 100;

}  // namespace

base::Status UpdateRoom::check(const Framework& framework, const Executor* executor,
                               const mesos::internal::StatusUpdate& update) {
  if (executor == nullptr) return check_strangers(framework, update);
  const auto& status = update.status();
  if (is_terminal(status.state()) || !is_news(*executor, status)) return {};
  const std::string& task = status.task_id().value();
  const size_t waiting = streams_.bytes(framework.info.id().value(), task).value_or(0);
  if (waiting + update.ByteSizeLong() <= kMostBytes) return {};
  return fail(concat("Too many updates of task '", task, "' wait to be acknowledged"));
}

// As Mesos does, the agent passes on what is reported of tasks that it does not know. Drivers can
// name any executor; those that do not exist have their bounds in common.
base::Status UpdateRoom::check_strangers(const Framework& framework,
                                         const mesos::internal::StatusUpdate& update) {
  const std::string& framework_id = framework.info.id().value();
  const std::string& executor_id = update.executor_id().value();
  const bool exists = framework.executors.contains(executor_id);
  auto& tasks = strangers_[{framework_id, exists ? executor_id : std::string()}];
  size_t waiting = update.ByteSizeLong();
  std::erase_if(tasks, [&](const std::string& task) {
    const auto bytes = streams_.bytes(framework_id, task);
    waiting += bytes.value_or(0);
    return !bytes;
  });
  const std::string& task = update.status().task_id().value();
  if (waiting > kMostBytes || (tasks.size() >= kMostStrangers && !tasks.contains(task))) {
    return fail(concat("Too many updates of tasks that the agent does not know, as '", task,
                       "', wait to be acknowledged"));
  }
  tasks.insert(task);
  return {};
}

}  // namespace agent
