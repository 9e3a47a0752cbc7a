// Ending a task: SIGTERM for everything in it, and SIGKILL for what is left after a time.
#pragma once

#include <chrono>

#include "base/sync.h"
#include "base/task.h"
#include "executors/events.h"

namespace executors {

// Everything below this process is the task: it is the subreaper, so whatever session, group or
// parent a process of the task has moved to, it is still among its descendants.
class Kill {
 public:
  // The first request sends SIGTERM; a grace period of zero sends SIGKILL right after. A later one
  // can only bring SIGKILL forward, and counts its grace period from the first: schedulers repeat
  // their kills, which must not put the end off.
  void request(Duration grace_period);

  bool requested() const { return requested_; }

  // Sends SIGKILL when it is time. To be run as long as the task runs.
  base::Task<void> run();

 private:
  using Clock = std::chrono::steady_clock;

  bool requested_ = false;
  Clock::time_point begin_;
  Clock::time_point deadline_;
  base::Event changed_;
};

// SIGKILL to everything below this process.
void kill_all();

}  // namespace executors
