#include "containerizer/launch_watchdog.h"

#include <sys/timerfd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

#include "base/thread.h"

namespace containerizer {

namespace {

constexpr std::chrono::seconds kPatience{3};
constexpr itimerspec kTimer{.it_interval = {.tv_sec = 0, .tv_nsec = 100'000'000},
                            .it_value = {.tv_sec = kPatience.count(), .tv_nsec = 0}};
constexpr itimerspec kNow{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1}};
constexpr itimerspec kNever{};

constexpr size_t kStackSize = 256 * 1024;

}  // namespace

base::Result<std::unique_ptr<LaunchWatchdog>> LaunchWatchdog::start() {
  base::Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC));
  if (!timer) return base::fail_errno("timerfd_create");
  std::unique_ptr<LaunchWatchdog> watchdog(new LaunchWatchdog(std::move(timer)));
  const auto run = [](void* self) -> void* {
    static_cast<LaunchWatchdog*>(self)->run();
    return nullptr;
  };
  TRY(watchdog->thread_, base::start_thread(kStackSize, run, watchdog.get()));
  return watchdog;
}

LaunchWatchdog::~LaunchWatchdog() {
  if (thread_ == pthread_t{}) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  timerfd_settime(timer_.get(), 0, &kNow, nullptr);
  pthread_join(thread_, nullptr);
}

void LaunchWatchdog::run() {
  while (true) {
    uint64_t count = 0;
    if (read(timer_.get(), &count, sizeof(count)) < 0 && errno != EINTR) return;
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
    // What has ticked can have been the timer of the launch before.
    if (rescue_ && std::chrono::steady_clock::now() >= due_) rescue_();
  }
}

LaunchWatchdog::Guard::Guard(LaunchWatchdog* watchdog, std::function<void()> rescue)
    : watchdog_(watchdog) {
  if (watchdog_ == nullptr) return;
  {
    const std::lock_guard lock(watchdog_->mutex_);
    watchdog_->rescue_ = std::move(rescue);
    watchdog_->due_ = std::chrono::steady_clock::now() + kPatience;
  }
  timerfd_settime(watchdog_->timer_.get(), 0, &kTimer, nullptr);
}

LaunchWatchdog::Guard::~Guard() {
  if (watchdog_ == nullptr) return;
  timerfd_settime(watchdog_->timer_.get(), 0, &kNever, nullptr);
  const std::lock_guard lock(watchdog_->mutex_);
  watchdog_->rescue_ = nullptr;
}

}  // namespace containerizer
