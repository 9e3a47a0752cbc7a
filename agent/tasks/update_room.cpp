// How much executors can make the agent keep of what they report: updates wait until their
// scheduler has acknowledged them, which may be never.

#include <glog/logging.h>

#include <utility>

#include "agent/tasks/task_status.h"
#include "agent/tasks/tasks.h"
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

// Takes what an executor reports, if there is room for it.
base::Status Tasks::report(Update update, const std::string& sender) {
  Framework* framework = find_framework(update.framework_id().value());
  if (framework != nullptr && !framework->terminating) {
    const Executor* executor = find_executor_of(*framework, update, true);
    if (auto room = check_room(*framework, executor, update); !room) {
      ++state_.counters.invalid_status_updates;
      LOG_EVERY_T(WARNING, 10) << "An update of executor '" << update.executor_id().value()
                               << "' is refused: " << room.error().message;
      return room;
    }
  }
  take(std::move(update), true, sender);
  return {};
}

// The end of a task that the agent knows is always taken, which happens once; and what tells
// nothing new is not kept.
base::Status Tasks::check_room(const Framework& framework, const Executor* executor,
                               const Update& update) {
  if (executor == nullptr) return check_strangers(framework, update);
  const auto& status = update.status();
  if (is_terminal(status.state()) || !is_news(*executor, status)) return {};
  const std::string& task = status.task_id().value();
  const size_t waiting = updates_.bytes(framework.info.id().value(), task).value_or(0);
  if (waiting + update.ByteSizeLong() <= kMostBytes) return {};
  return fail(concat("Too many updates of task '", task, "' wait to be acknowledged"));
}

// As Mesos does, the agent passes on what is reported of tasks that it does not know. Drivers can
// name any executor; those that do not exist have their bounds in common.
base::Status Tasks::check_strangers(const Framework& framework, const Update& update) {
  const std::string& framework_id = framework.info.id().value();
  const std::string& executor_id = update.executor_id().value();
  const bool exists = framework.executors.contains(executor_id);
  auto& tasks = strangers_[{framework_id, exists ? executor_id : std::string()}];
  size_t waiting = update.ByteSizeLong();
  std::erase_if(tasks, [&](const std::string& task) {
    const auto bytes = updates_.bytes(framework_id, task);
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
