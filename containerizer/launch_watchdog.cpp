#include "containerizer/launch_watchdog.h"

#include <signal.h>
#include <sys/timerfd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

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
  // Signals are the loop's business: a thread inherits the mask that it is made under.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackSize);
  const auto run = [](void* self) -> void* {
    static_cast<LaunchWatchdog*>(self)->run();
    return nullptr;
  };
  const int code = pthread_create(&watchdog->thread_, &attributes, run, watchdog.get());
  pthread_attr_destroy(&attributes);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (code != 0) {
    watchdog->thread_ = {};
    return base::fail_errno("pthread_create", code);
  }
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
