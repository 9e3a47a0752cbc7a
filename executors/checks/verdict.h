// What follows from the results of checks: which of them the agent is told, and when a task has
// failed too often. No clocks and no processes, so that the rules can be read and tested by
// themselves.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "base/result.h"
#include "executors/calls.h"
#include "executors/events.h"

namespace executors {

// The outcome of one run of a check: the command's exit code, the HTTP status code, or 1 for a TCP
// connection and 0 if it was refused. An error if there was none in time, or the check itself could
// not be made.
using ProbeResult = base::Result<int32_t>;

// Whether a health check takes it for healthy: exit code 0, HTTP status 200 to 399, connected.
bool is_healthy(CheckKind kind, const ProbeResult& result);

// A CheckInfo's results. The agent is told of those that differ from the one before; the first is
// compared with an empty one, which also stands for a run that gave nothing.
class CheckVerdict {
 public:
  explicit CheckVerdict(CheckKind kind) : last_{.kind = kind} {}

  // What to tell, if anything.
  std::optional<CheckResult> add(const ProbeResult& result);

 private:
  CheckResult last_;
};

// A HealthCheck's results. The agent is told of the first success, of the first after failures, and
// of every failure. Failures within the grace period do not count, until the first success ends it.
class HealthVerdict {
 public:
  struct Report {
    bool healthy = false;
    bool kill = false;  // it has failed as often in a row as is allowed
  };

  explicit HealthVerdict(const HealthCheckSpec& spec)
      : grace_period_(spec.grace_period), limit_(spec.consecutive_failures) {}

  // `age` is the time since the task was started.
  std::optional<Report> add(bool healthy, std::chrono::nanoseconds age);

 private:
  Duration grace_period_;
  uint32_t limit_;
  uint32_t failures_ = 0;  // in a row
  bool initializing_ = true;
};

}  // namespace executors
