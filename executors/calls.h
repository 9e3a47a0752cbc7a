// What an executor tells the agent: the Calls of the executor API as protobuf bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "executors/events.h"

namespace executors {

// The numbers of mesos.v1.TaskState that an executor of a command uses.
enum class TaskState : uint8_t {
  kStarting = 0,
  kRunning = 1,
  kFinished = 2,
  kFailed = 3,
  kKilled = 4,
  kKilling = 8,
};

// The numbers of mesos.v1.TaskStatus.Reason that an executor gives.
enum class Reason : uint8_t {
  kTaskCheckStatusUpdated = 28,
  kTaskHealthCheckStatusUpdated = 29,
  kMaxCompletionTimeReached = 33,
};

// CheckStatusInfo: the latest answer to a check. Without a value, its message is there and empty.
struct CheckResult {
  CheckKind kind = CheckKind::kUnknown;
  std::optional<int32_t> value;  // exit code, HTTP status code; 1 or 0 for TCP

  bool operator==(const CheckResult&) const = default;
};

// One status update; source is always SOURCE_EXECUTOR.
struct TaskStatus {
  std::string task_id;
  std::string executor_id;
  TaskState state = TaskState::kStarting;
  std::string message;  // empty: none
  std::optional<Reason> reason;
  std::optional<bool> healthy;
  std::optional<CheckResult> check_result;
  double timestamp = 0;  // seconds since the epoch
  std::string uuid;      // 16 raw bytes
};

// TaskStatus's fields in the order of their numbers.
std::string encode_status(const TaskStatus& status);

// The Calls, of an executor of a framework. Statuses and tasks are encoded already.
struct CallHeader {
  std::string executor_id;
  std::string framework_id;
};
std::string encode_subscribe(const CallHeader& header, std::span<const std::string_view> tasks,
                             std::span<const std::string_view> statuses);
std::string encode_update(const CallHeader& header, std::string_view status);
std::string encode_heartbeat(const CallHeader& header);

}  // namespace executors
