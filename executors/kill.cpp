#include "executors/kill.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/combine.h"
#include "executors/process_tree.h"
#include "executors/wait.h"

namespace executors {

namespace {

// More than any container lives, and no more than the clock can count from now.
constexpr Duration kLongest = std::chrono::hours(24 * 365 * 10);

}  // namespace

void Kill::request(Duration grace_period) {
  const bool first = !requested_;
  if (first) begin_ = Clock::now();
  const auto deadline = begin_ + std::clamp(grace_period, Duration::zero(), kLongest);
  if (!first && deadline >= deadline_) return;
  requested_ = true;
  deadline_ = deadline;
  if (first) signal_tree(getpid(), SIGTERM, true);
  changed_.set();
}

base::Task<void> Kill::run() {
  co_await changed_.wait();
  while (true) {
    changed_.clear();
    const auto left = deadline_ - Clock::now();
    if (left <= Duration::zero()) break;
    co_await base::any_of(wait_for(changed_), base::sleep_task(left));
  }
  kill_all();
}

void kill_all() { signal_tree(getpid(), SIGKILL, true); }

}  // namespace executors
