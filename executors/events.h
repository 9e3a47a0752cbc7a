// What the agent tells an executor: the Events of the executor API, as far as an executor of tasks
// with a command reads them (proto/mesos/v1/executor/executor.proto, proto/mesos/v1/tasks.proto).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace executors {

using Duration = std::chrono::nanoseconds;

// CommandInfo. With `shell`, `value` is a line for sh; without, it is the file to execute and
// `arguments` is the whole argv. Variables that are secrets are left out: nobody has resolved them.
struct Command {
  struct Variable {
    std::string name;
    std::string value;
  };

  bool shell = true;
  std::optional<std::string> value;
  std::vector<std::string> arguments;
  std::vector<Variable> environment;
};

// The numbers are those of CheckInfo.Type and HealthCheck.Type.
enum class CheckKind : uint8_t { kUnknown = 0, kCommand = 1, kHttp = 2, kTcp = 3 };

// What one run of a check does.
struct Probe {
  CheckKind kind = CheckKind::kUnknown;
  Command command;              // of kCommand
  uint32_t port = 0;            // of kHttp, kTcp
  std::string scheme = "http";  // of kHttp
  std::string path;             // of kHttp; may be empty
  bool ipv6 = false;            // of kHttp: ask [::1]
};

// CheckInfo, and the part of HealthCheck that is like it. A timeout of zero is none.
struct CheckSpec {
  Probe probe;
  Duration delay = std::chrono::seconds(15);
  Duration interval = std::chrono::seconds(10);
  Duration timeout = std::chrono::seconds(20);
};

struct HealthCheckSpec : CheckSpec {
  Duration grace_period = std::chrono::seconds(10);
  uint32_t consecutive_failures = 3;
};

struct TaskSpec {
  std::string id;
  std::optional<Command> command;
  std::optional<CheckSpec> check;
  std::optional<HealthCheckSpec> health_check;
  std::optional<Duration> kill_grace_period;
  std::optional<Duration> max_completion_time;
  std::string allocation_role;  // of the first resource; empty if there is none
  bool tty = false;             // container.tty_info is set
  std::string raw;              // the TaskInfo as it came, to be sent back as it is
};

struct Event {
  // The numbers are those of Event.Type.
  enum class Type : uint8_t {
    kUnknown = 0,
    kSubscribed = 1,
    kLaunch = 2,
    kKill = 3,
    kAcknowledged = 4,
    kMessage = 5,
    kError = 6,
    kShutdown = 7,
    kLaunchGroup = 8,
    kHeartbeat = 9,
  };

  Type type = Type::kUnknown;
  bool task_killing_state = false;            // kSubscribed: the framework knows TASK_KILLING
  std::optional<TaskSpec> task;               // kLaunch
  std::string task_id;                        // kKill, kAcknowledged
  std::optional<Duration> kill_grace_period;  // kKill
  std::string uuid;                           // kAcknowledged: 16 raw bytes
  std::string message;                        // kError
};

// kInvalid if these bytes are no Event, or if its type's member is missing.
base::Result<Event> parse_event(std::string_view bytes);

}  // namespace executors
