// What an agent sends to an executor: whatever protobuf takes for an event, the executor's own
// decoder takes too, and both read the same in it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "executors/calls.h"
#include "executors/events.h"
#include "proto/mesos/v1/executor/executor.pb.h"

namespace {

using executors::Event;
using Message = mesos::v1::executor::Event;

// Written anew by protobuf, so that each member is there once: of several, protobuf makes one.
void compare(const Message& message) {
  const auto event = executors::parse_event(message.SerializePartialAsString());
  if (!event) {
    if (message.type() == Message::LAUNCH && !message.launch().has_task()) return;
    std::abort();
  }
  if (static_cast<int>(event->type) != message.type()) std::abort();
  if (message.has_kill() && !message.has_acknowledged() &&
      event->task_id != message.kill().task_id().value()) {
    std::abort();
  }
  if (message.has_acknowledged() && event->uuid != message.acknowledged().uuid()) std::abort();
  if (!message.launch().has_task()) return;
  const auto& task = message.launch().task();
  if (!event->task || event->task->id != task.task_id().value() ||
      event->task->raw != task.SerializePartialAsString() ||
      event->task->command.has_value() != task.has_command() ||
      event->task->tty != task.container().has_tty_info()) {
    std::abort();
  }
  if (task.has_command() && (event->task->command->shell != task.command().shell() ||
                             event->task->command->value.value_or("") != task.command().value() ||
                             static_cast<int>(event->task->command->arguments.size()) !=
                                 task.command().arguments_size())) {
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // A copy of exact size, so that ASan sees every read beyond it.
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto event = executors::parse_event(bytes);
  Message message;
  if (!message.ParsePartialFromString(bytes)) return 0;
  if (!event && !(message.type() == Message::LAUNCH && !message.launch().has_task())) std::abort();
  message.DiscardUnknownFields();
  compare(message);
  return 0;
}
