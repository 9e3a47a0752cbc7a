// Calling again and again for each of many keys, at intervals that double.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "base/scope.h"
#include "base/sync.h"
#include "base/task.h"

namespace agent {

struct RetryIntervals {
  std::chrono::nanoseconds first = std::chrono::seconds(10);
  std::chrono::nanoseconds longest = std::chrono::minutes(10);
};

// One coroutine waits for the key that is due next, and none while there is no key. Belongs to the
// event loop's thread.
class Retries {
 public:
  // `call` may change the keys, but not destroy this object.
  Retries(std::function<void(const std::string& key)> call, RetryIntervals intervals)
      : call_(std::move(call)), intervals_(intervals) {}

  // From now on `call` is called for the key, first after the first interval; an interval that runs
  // already begins anew.
  void start(const std::string& key);
  void stop(const std::string& key);
  void stop_all();

  size_t size() const { return keys_.size(); }

 private:
  using Time = std::chrono::steady_clock::time_point;
  struct Entry {
    Time due;
    std::chrono::nanoseconds interval;
  };

  base::Task<void> run();
  void call_due();

  const std::function<void(const std::string& key)> call_;
  const RetryIntervals intervals_;
  std::map<std::string, Entry> keys_;
  std::set<std::pair<Time, std::string>> due_;
  bool running_ = false;
  base::Event earlier_;  // the first due time has become an earlier one, or there is none
  base::Scope scope_;
};

}  // namespace agent
