// Keeps a container from holding up the agent.
//
// While a helper is cloned the agent's thread stands still, as with vfork, until the helper has
// executed its program. In that moment the new process already is in the parent container's pid
// namespace and cgroups, where root can stop or freeze it: for as long as it likes, and the whole
// agent with it. So somebody else looks at the clock.
#pragma once

#include <pthread.h>

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>

#include "base/fd.h"
#include "base/result.h"

namespace containerizer {

// A thread that sleeps unless a launch takes too long.
class LaunchWatchdog {
 public:
  static base::Result<std::unique_ptr<LaunchWatchdog>> start();
  LaunchWatchdog(const LaunchWatchdog&) = delete;
  LaunchWatchdog& operator=(const LaunchWatchdog&) = delete;
  ~LaunchWatchdog();

  // While it exists, the thread calls `rescue` once the launch has taken some seconds, and then
  // again and again. It is not being called any more when the guard is gone.
  class Guard {
   public:
    // Without a watchdog it does nothing.
    Guard(LaunchWatchdog* watchdog, std::function<void()> rescue);
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;
    ~Guard();

   private:
    LaunchWatchdog* const watchdog_;
  };

 private:
  explicit LaunchWatchdog(base::Fd timer) : timer_(std::move(timer)) {}

  void run();

  const base::Fd timer_;
  pthread_t thread_{};
  std::mutex mutex_;
  std::function<void()> rescue_;
  std::chrono::steady_clock::time_point due_;
  bool stopping_ = false;
};

}  // namespace containerizer
