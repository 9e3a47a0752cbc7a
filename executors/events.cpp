#include "executors/events.h"

#include <cmath>
#include <limits>
#include <utility>

#include "proto/wire.h"

namespace executors {

using proto::bytes_field;
using proto::double_field;
using proto::varint_field;
using proto::WireReader;

namespace {

// Each reads one message and tells whether its bytes were well-formed. A field that comes twice
// counts the last time, and of repeated ones all.

// DurationInfo.nanoseconds
bool read_duration(std::string_view bytes, std::optional<Duration>* duration) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == varint_field(1))
      *duration = Duration(static_cast<int64_t>(reader.varint()));
  }
  return !reader.failed();
}

// Seconds as CheckInfo has them. What no clock can count is for ever; the agent has refused what is
// negative.
Duration from_seconds(double seconds) {
  constexpr double kMost = 1e9;
  if (std::isnan(seconds) || seconds < 0) return Duration::zero();
  return std::chrono::duration_cast<Duration>(
      std::chrono::duration<double>(seconds < kMost ? seconds : kMost));
}

// KillPolicy.grace_period
bool read_kill_policy(std::string_view bytes, std::optional<Duration>* grace_period) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(1) && !read_duration(reader.bytes(), grace_period)) {
      return false;
    }
  }
  return !reader.failed();
}

// Field 1 of TaskID, AllocationInfo
bool read_name(std::string_view bytes, std::string* name) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(1)) *name = reader.bytes();
  }
  return !reader.failed();
}

bool read_variable(std::string_view bytes, std::vector<Command::Variable>* variables) {
  constexpr uint64_t kValue = 1;
  Command::Variable variable;
  uint64_t type = kValue;
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(1)) variable.name = reader.bytes();
    if (reader.tag() == bytes_field(2)) variable.value = reader.bytes();
    if (reader.tag() == varint_field(3)) type = reader.varint();
  }
  if (type == kValue) variables->push_back(std::move(variable));
  return !reader.failed();
}

bool read_environment(std::string_view bytes, std::vector<Command::Variable>* variables) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(1) && !read_variable(reader.bytes(), variables)) return false;
  }
  return !reader.failed();
}

bool read_command(std::string_view bytes, Command* command) {
  WireReader reader(bytes);
  while (reader.next()) {
    switch (reader.tag()) {
      case bytes_field(2):
        if (!read_environment(reader.bytes(), &command->environment)) return false;
        break;
      case bytes_field(3):
        command->value = reader.bytes();
        break;
      case varint_field(6):
        command->shell = reader.varint() != 0;
        break;
      case bytes_field(7):
        command->arguments.emplace_back(reader.bytes());
        break;
      default:
        break;
    }
  }
  return !reader.failed();
}

// CheckInfo.Command and its like: field 1 is the CommandInfo.
bool read_check_command(std::string_view bytes, Command* command) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(1) && !read_command(reader.bytes(), command)) return false;
  }
  return !reader.failed();
}

// CheckInfo.Http and HealthCheck.HTTPCheckInfo; the numbers of the latter's further fields are free
// in the former. CheckInfo.Tcp and HealthCheck.TCPCheckInfo have nothing but the port: TCP checks
// ask 127.0.0.1 whatever `protocol` says, as in Apache Mesos.
bool read_address(std::string_view bytes, Probe* probe) {
  constexpr uint64_t kIpv6 = 2;
  WireReader reader(bytes);
  while (reader.next()) {
    switch (reader.tag()) {
      case varint_field(1):
        probe->port = static_cast<uint32_t>(reader.varint());
        break;
      case bytes_field(2):
        probe->path = reader.bytes();
        break;
      case bytes_field(3):
        probe->scheme = reader.bytes();
        break;
      case varint_field(5):
        probe->ipv6 = reader.varint() == kIpv6;
        break;
      default:
        break;
    }
  }
  return !reader.failed();
}

CheckKind to_check_kind(uint64_t number) {
  return number <= static_cast<uint64_t>(CheckKind::kTcp) ? static_cast<CheckKind>(number)
                                                          : CheckKind::kUnknown;
}

bool read_check(std::string_view bytes, CheckSpec* check) {
  WireReader reader(bytes);
  bool ok = true;
  while (ok && reader.next()) {
    switch (reader.tag()) {
      case varint_field(1):
        check->probe.kind = to_check_kind(reader.varint());
        break;
      case bytes_field(2):
        ok = read_check_command(reader.bytes(), &check->probe.command);
        break;
      case bytes_field(3):
      case bytes_field(7):
        ok = read_address(reader.bytes(), &check->probe);
        break;
      case double_field(4):
        check->delay = from_seconds(reader.as_double());
        break;
      case double_field(5):
        check->interval = from_seconds(reader.as_double());
        break;
      case double_field(6):
        check->timeout = from_seconds(reader.as_double());
        break;
      default:
        break;
    }
  }
  return ok && !reader.failed();
}

bool read_health_check(std::string_view bytes, HealthCheckSpec* check) {
  WireReader reader(bytes);
  bool ok = true;
  while (ok && reader.next()) {
    switch (reader.tag()) {
      case bytes_field(1):
      case bytes_field(9):
        ok = read_address(reader.bytes(), &check->probe);
        break;
      case double_field(2):
        check->delay = from_seconds(reader.as_double());
        break;
      case double_field(3):
        check->interval = from_seconds(reader.as_double());
        break;
      case double_field(4):
        check->timeout = from_seconds(reader.as_double());
        break;
      case varint_field(5):
        check->consecutive_failures = static_cast<uint32_t>(reader.varint());
        break;
      case double_field(6):
        check->grace_period = from_seconds(reader.as_double());
        break;
      case bytes_field(7):
        ok = read_command(reader.bytes(), &check->probe.command);
        break;
      case varint_field(8):
        check->probe.kind = to_check_kind(reader.varint());
        break;
      default:
        break;
    }
  }
  return ok && !reader.failed();
}

// Resource.allocation_info.role
bool read_allocation_role(std::string_view bytes, std::string* role) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(11) && !read_name(reader.bytes(), role)) return false;
  }
  return !reader.failed();
}

bool read_container(std::string_view bytes, bool* tty) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(10)) *tty = true;
  }
  return !reader.failed();
}

bool read_task(std::string_view bytes, TaskSpec* task) {
  task->raw = bytes;
  bool first_resource = true;
  WireReader reader(bytes);
  bool ok = true;
  while (ok && reader.next()) {
    switch (reader.tag()) {
      case bytes_field(2):
        ok = read_name(reader.bytes(), &task->id);
        break;
      case bytes_field(4):
        if (std::exchange(first_resource, false)) {
          ok = read_allocation_role(reader.bytes(), &task->allocation_role);
        }
        break;
      case bytes_field(7):
        if (!task->command) task->command.emplace();
        ok = read_command(reader.bytes(), &*task->command);
        break;
      case bytes_field(8):
        if (!task->health_check) task->health_check.emplace();
        ok = read_health_check(reader.bytes(), &*task->health_check);
        break;
      case bytes_field(9):
        ok = read_container(reader.bytes(), &task->tty);
        break;
      case bytes_field(12):
        ok = read_kill_policy(reader.bytes(), &task->kill_grace_period);
        break;
      case bytes_field(13):
        if (!task->check) task->check.emplace();
        ok = read_check(reader.bytes(), &*task->check);
        break;
      case bytes_field(14):
        ok = read_duration(reader.bytes(), &task->max_completion_time);
        break;
      default:
        break;
    }
  }
  return ok && !reader.failed();
}

// Event.Subscribed: of framework_info, whether TASK_KILLING_STATE is among the capabilities.
bool read_subscribed(std::string_view bytes, bool* task_killing_state) {
  constexpr uint64_t kTaskKillingState = 2;
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() != bytes_field(2)) continue;
    WireReader framework(reader.bytes());
    while (framework.next()) {
      if (framework.tag() != bytes_field(10)) continue;
      WireReader capability(framework.bytes());
      while (capability.next()) {
        if (capability.tag() == varint_field(1) && capability.varint() == kTaskKillingState) {
          *task_killing_state = true;
        }
      }
      if (capability.failed()) return false;
    }
    if (framework.failed()) return false;
  }
  return !reader.failed();
}

bool read_acknowledged(std::string_view bytes, Event* event) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(1) && !read_name(reader.bytes(), &event->task_id)) return false;
    if (reader.tag() == bytes_field(2)) event->uuid = reader.bytes();
  }
  return !reader.failed();
}

bool read_launch(std::string_view bytes, Event* event) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() != bytes_field(1)) continue;
    event->task.emplace();
    if (!read_task(reader.bytes(), &*event->task)) return false;
  }
  return !reader.failed();
}

bool read_kill(std::string_view bytes, Event* event) {
  WireReader reader(bytes);
  while (reader.next()) {
    if (reader.tag() == bytes_field(1) && !read_name(reader.bytes(), &event->task_id)) return false;
    if (reader.tag() == bytes_field(2) &&
        !read_kill_policy(reader.bytes(), &event->kill_grace_period)) {
      return false;
    }
  }
  return !reader.failed();
}

bool read_event(std::string_view bytes, Event* event) {
  WireReader reader(bytes);
  bool ok = true;
  while (ok && reader.next()) {
    switch (reader.tag()) {
      case varint_field(1):
        event->type = reader.varint() <= static_cast<uint64_t>(Event::Type::kHeartbeat)
                          ? static_cast<Event::Type>(reader.varint())
                          : Event::Type::kUnknown;
        break;
      case bytes_field(2):
        ok = read_subscribed(reader.bytes(), &event->task_killing_state);
        break;
      case bytes_field(3):
        ok = read_acknowledged(reader.bytes(), event);
        break;
      case bytes_field(4):
        ok = read_launch(reader.bytes(), event);
        break;
      case bytes_field(5):
        ok = read_kill(reader.bytes(), event);
        break;
      case bytes_field(7):
        ok = read_name(reader.bytes(), &event->message);
        break;
      default:
        break;
    }
  }
  return ok && !reader.failed();
}

}  // namespace

base::Result<Event> parse_event(std::string_view bytes) {
  Event event;
  if (!read_event(bytes, &event) || (event.type == Event::Type::kLaunch && !event.task)) {
    return base::fail(base::ErrorKind::kInvalid, "The agent sent what is no event");
  }
  return event;
}

}  // namespace executors
