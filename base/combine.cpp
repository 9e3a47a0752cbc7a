#include "base/combine.h"

#include <algorithm>
#include <cstdlib>

namespace base {

namespace {

// Far away, and still within what the clocks can count to.
constexpr std::chrono::nanoseconds kForEver = std::chrono::years(100);

// Counts the tasks that are still running and wakes the one coroutine that waits for all.
class Countdown {
 public:
  explicit Countdown(std::vector<Task<void>> tasks) : tasks_(std::move(tasks)) {}
  Countdown(const Countdown&) = delete;

  bool await_ready() const { return tasks_.empty(); }
  bool await_suspend(std::coroutine_handle<> handle) {
    waiter_.set_handle(handle);
    left_ = tasks_.size();
    slot_.owner = this;
    for (auto& task : tasks_) task.start(slot_);
    starting_ = false;
    return left_ > 0;
  }
  void await_resume() const {}

 private:
  struct Slot final : internal::Completion {
    Countdown* owner = nullptr;
    void task_done() override {
      if (--owner->left_ == 0 && !owner->starting_) EventLoop::current().schedule(owner->waiter_);
    }
  };

  Slot slot_;
  Waiter waiter_;
  size_t left_ = 0;
  bool starting_ = true;
  std::vector<Task<void>> tasks_;  // last, so that they are destroyed first
};

}  // namespace

SleepAwaiter::~SleepAwaiter() {
  if (armed_) event_del(&event_);
}

void SleepAwaiter::await_suspend(std::coroutine_handle<> handle) {
  handle_ = handle;
  const auto delay = std::clamp(delay_, std::chrono::nanoseconds(0), kForEver);
  deadline_ = std::chrono::steady_clock::now() + delay;
  event_assign(
      &event_, EventLoop::current().base(), -1, 0,
      [](evutil_socket_t, short, void* self) { static_cast<SleepAwaiter*>(self)->fire(); }, this);
  arm(delay);
}

void SleepAwaiter::arm(std::chrono::nanoseconds delay) {
  const auto usec = std::chrono::ceil<std::chrono::microseconds>(delay).count();
  timeval tv{};
  tv.tv_sec = usec / 1000000;
  tv.tv_usec = usec % 1000000;
  if (event_add(&event_, &tv) < 0) std::abort();  // memory is exhausted
  armed_ = true;
}

void SleepAwaiter::fire() {
  // libevent counts from when this turn of the loop began, by a clock that ticks every few
  // milliseconds, so it may be early.
  const auto left = deadline_ - std::chrono::steady_clock::now();
  if (left > left.zero()) return arm(left);
  armed_ = false;
  handle_.resume();
}

Task<void> all_of(std::vector<Task<void>> tasks) { co_await Countdown(std::move(tasks)); }

}  // namespace base
