// Several tasks awaited together: any_of, all_of, with_timeout, sleep_for.
#pragma once

#include <event2/event_struct.h>

#include <chrono>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/event_loop.h"
#include "base/task.h"

namespace base {

// Awaited: goes on after `delay`, not before, and by up to 10 ms later (libevent's clock is
// coarse). A delay of zero or less still lets the loop turn once; one of centuries is for ever.
class SleepAwaiter {
 public:
  explicit SleepAwaiter(std::chrono::nanoseconds delay) : delay_(delay) {}
  SleepAwaiter(const SleepAwaiter&) = delete;
  SleepAwaiter& operator=(const SleepAwaiter&) = delete;
  ~SleepAwaiter();

  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle);
  void await_resume() const {}

 private:
  void arm(std::chrono::nanoseconds delay);
  void fire();

  std::chrono::nanoseconds delay_;
  std::chrono::steady_clock::time_point deadline_;
  std::coroutine_handle<> handle_;
  event event_{};
  bool armed_ = false;
};

inline SleepAwaiter sleep_for(std::chrono::nanoseconds delay) { return SleepAwaiter(delay); }

// As a task, for any_of and its kin.
inline Task<void> sleep_task(std::chrono::nanoseconds delay) { co_await sleep_for(delay); }

namespace internal {

template <typename T>
using NonVoid = std::conditional_t<std::is_void_v<T>, std::monostate, T>;

template <typename T>
NonVoid<T> take_result(Task<T>& task) {
  if constexpr (std::is_void_v<T>) {
    task.take();
    return {};
  } else {
    return task.take();
  }
}

// Runs a fixed set of tasks and wakes the awaiting coroutine when enough of them have ended.
template <bool kFirstOnly, typename... Ts>
class JoinAwaiter {
  static_assert(sizeof...(Ts) > 0, "there must be something to wait for");

 public:
  explicit JoinAwaiter(Task<Ts>... tasks) : tasks_(std::move(tasks)...) {}
  JoinAwaiter(JoinAwaiter&&) = delete;

  bool await_ready() const { return false; }

  bool await_suspend(std::coroutine_handle<> handle) {
    waiter_.set_handle(handle);
    start_all(std::index_sequence_for<Ts...>{});
    starting_ = false;
    return !enough();
  }

  auto await_resume() {
    if constexpr (kFirstOnly) {
      auto result = take_first<0>();
      cancel_all(std::index_sequence_for<Ts...>{});
      return result;
    } else {
      return take_all(std::index_sequence_for<Ts...>{});
    }
  }

 private:
  struct Slot final : Completion {
    JoinAwaiter* owner = nullptr;
    void task_done() override { owner->one_done(); }
  };

  bool enough() const { return done_ >= (kFirstOnly ? 1 : sizeof...(Ts)); }

  void one_done() {
    const bool was_enough = enough();
    ++done_;
    if (!starting_ && !was_enough && enough()) EventLoop::current().schedule(waiter_);
  }

  template <size_t... Is>
  void start_all(std::index_sequence<Is...>) {
    (start_one<Is>(), ...);
  }
  template <size_t I>
  void start_one() {
    if (kFirstOnly && enough()) return;
    slots_[I].owner = this;
    std::get<I>(tasks_).start(slots_[I]);
  }
  template <size_t I>
  std::variant<NonVoid<Ts>...> take_first() {
    // One has ended: if it is none of the others, it is the last.
    if constexpr (I + 1 < sizeof...(Ts)) {
      if (!std::get<I>(tasks_).done()) return take_first<I + 1>();
    }
    return std::variant<NonVoid<Ts>...>(std::in_place_index<I>, take_result(std::get<I>(tasks_)));
  }
  template <size_t... Is>
  void cancel_all(std::index_sequence<Is...>) {
    (std::get<Is>(tasks_).cancel(), ...);
  }
  template <size_t... Is>
  auto take_all(std::index_sequence<Is...>) {
    return std::tuple<NonVoid<Ts>...>(take_result(std::get<Is>(tasks_))...);
  }

  Slot slots_[sizeof...(Ts)];
  Waiter waiter_;
  size_t done_ = 0;
  bool starting_ = true;
  std::tuple<Task<Ts>...> tasks_;  // last, so that it is destroyed first
};

}  // namespace internal

// Awaited: runs all tasks until the first ends; the others are cancelled, in their order. Gives a
// std::variant whose index says which ended. A void task gives std::monostate.
//
// The tasks start in their order; if one ends at once, those after it never start. Several may end
// before the awaiting coroutine goes on: then the lowest counts, and what the others give is
// destroyed. So a task whose result must not be lost (bytes read, a connection) goes first.
template <typename... Ts>
auto any_of(Task<Ts>... tasks) {
  return internal::JoinAwaiter<true, Ts...>(std::move(tasks)...);
}

// Awaited: runs all tasks, started in their order, until all have ended. Gives a std::tuple of
// their results.
template <typename... Ts>
auto all_of(Task<Ts>... tasks) {
  return internal::JoinAwaiter<false, Ts...>(std::move(tasks)...);
}

// The same for a number of tasks known at run time; void only.
Task<void> all_of(std::vector<Task<void>> tasks);

// The task's result, or nothing if it did not end within `limit` (it is cancelled then). The limit
// is that of a sleep_for.
template <typename T>
Task<std::optional<internal::NonVoid<T>>> with_timeout(Task<T> task,
                                                       std::chrono::nanoseconds limit) {
  auto result = co_await any_of(std::move(task), sleep_task(limit));
  if (result.index() == 1) co_return std::nullopt;
  co_return std::get<0>(std::move(result));
}

}  // namespace base
