#include "agent/tasks/retries.h"

#include <algorithm>

#include "base/combine.h"

namespace agent {

using base::Task;
using std::chrono::steady_clock;

namespace {

Task<void> wait_for(base::Event& event) { co_await event.wait(); }

}  // namespace

void Retries::start(const std::string& key) {
  stop(key);
  const Time due = steady_clock::now() + intervals_.first;
  keys_[key] = {due, intervals_.first};
  const auto at = due_.emplace(due, key).first;
  if (!running_) {
    running_ = true;
    scope_.spawn(run());
  } else if (at == due_.begin()) {
    earlier_.set();
  }
}

void Retries::stop(const std::string& key) {
  const auto entry = keys_.find(key);
  if (entry == keys_.end()) return;
  due_.erase({entry->second.due, key});
  keys_.erase(entry);
  if (keys_.empty()) earlier_.set();
}

void Retries::stop_all() {
  keys_.clear();
  due_.clear();
  earlier_.set();
}

Task<void> Retries::run() {
  while (!due_.empty()) {
    earlier_.clear();
    const auto delay = due_.begin()->first - steady_clock::now();
    const auto woken = co_await base::any_of(base::sleep_task(delay), wait_for(earlier_));
    if (woken.index() == 0) call_due();
  }
  running_ = false;
}

// Only what is due now: a key that is started by a call waits for its interval.
void Retries::call_due() {
  const Time now = steady_clock::now();
  while (!due_.empty() && due_.begin()->first <= now) {
    const std::string key = due_.begin()->second;
    Entry& entry = keys_[key];
    due_.erase(due_.begin());
    entry.interval = std::min(entry.interval * 2, intervals_.longest);
    entry.due = now + entry.interval;
    due_.emplace(entry.due, key);
    call_(key);
  }
}

}  // namespace agent
