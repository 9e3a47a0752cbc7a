// Task<T>: the one way to wait. A coroutine that returns Task<T> starts when it is awaited and has
// exactly one owner, the Task object, which usually is a temporary in the awaiting coroutine.
//
// Cancellation is destruction. Destroying a Task destroys the suspended coroutine: its locals'
// destructors run, and with them those of the Tasks that it awaits, down to the awaiter that leaves
// the list or the event it waited on. Nothing runs after that. So work that must be undone is held
// in objects whose destructors undo it, and work that must be finished whatever its starter does
// lives in a Scope (base/scope.h) that outlives the starter.
//
// A Task must not be destroyed while its own code is running; signals only schedule
// (base/event_loop.h), which keeps that easy. What is left to watch: a task must not delete the
// object whose Scope it runs in. Its parent does that, after awaiting it.
//
// Awaiting costs no stack, however many tasks end without waiting: control goes from one coroutine
// to the next by a jump. Only destroying takes stack, once for each level of awaiting.
#pragma once

#include <concepts>
#include <coroutine>
#include <cstdlib>
#include <optional>
#include <utility>

namespace base {

template <typename T>
class Task;

namespace internal {

// Told when a task ends that no coroutine awaits directly (any_of, all_of, Scope).
class Completion {
 public:
  // Called last of all: the coroutine is suspended for good, so this may destroy it.
  virtual void task_done() = 0;

 protected:
  ~Completion() = default;
};

class PromiseBase {
 public:
  std::suspend_always initial_suspend() noexcept { return {}; }

  struct FinalAwaiter {
    bool await_ready() noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> handle) noexcept {
      PromiseBase& promise = handle.promise();
      if (promise.continuation_) return promise.continuation_;
      if (promise.completion_ != nullptr) promise.completion_->task_done();
      return std::noop_coroutine();
    }
    void await_resume() noexcept {}
  };
  FinalAwaiter final_suspend() noexcept { return {}; }

  // Errors are values here, so an exception is a bug (or memory is exhausted).
  [[noreturn]] void unhandled_exception() noexcept { std::abort(); }

  std::coroutine_handle<> continuation_;
  Completion* completion_ = nullptr;
};

template <typename T>
class Promise : public PromiseBase {
 public:
  Task<T> get_return_object();
  template <typename U = T>
    requires std::convertible_to<U, T>
  void return_value(U&& value) {
    value_.emplace(std::forward<U>(value));
  }
  T take() { return std::move(*value_); }

 private:
  std::optional<T> value_;
};

template <>
class Promise<void> : public PromiseBase {
 public:
  Task<void> get_return_object();
  void return_void() {}
  void take() {}
};

}  // namespace internal

template <typename T = void>
class [[nodiscard]] Task {
 public:
  using promise_type = internal::Promise<T>;
  using value_type = T;

  Task() = default;
  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&& other) noexcept {
    if (this != &other) {
      cancel();
      handle_ = std::exchange(other.handle_, nullptr);
    }
    return *this;
  }
  ~Task() { cancel(); }

  // Runs the task and gives its result. Once only.
  auto operator co_await() && noexcept { return Awaiter{handle_}; }
  auto operator co_await() & noexcept { return Awaiter{handle_}; }

  // For what runs a task without awaiting it: starts it; `completion` is told when it has ended.
  // The result is then in take(). The task may end, and this object may be gone, before start()
  // returns.
  void start(internal::Completion& completion) {
    handle_.promise().completion_ = &completion;
    handle_.resume();
  }
  T take() { return handle_.promise().take(); }
  bool done() const { return handle_ && handle_.done(); }

  // Destroys the coroutine; see above.
  void cancel() {
    if (auto handle = std::exchange(handle_, nullptr)) handle.destroy();
  }

 private:
  friend promise_type;
  explicit Task(std::coroutine_handle<promise_type> handle) : handle_(handle) {}

  struct Awaiter {
    std::coroutine_handle<promise_type> handle;

    bool await_ready() noexcept { return false; }
    std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) noexcept {
      handle.promise().continuation_ = awaiting;
      return handle;
    }
    T await_resume() { return handle.promise().take(); }
  };

  std::coroutine_handle<promise_type> handle_;
};

namespace internal {

template <typename T>
Task<T> Promise<T>::get_return_object() {
  return Task<T>(std::coroutine_handle<Promise>::from_promise(*this));
}

inline Task<void> Promise<void>::get_return_object() {
  return Task<void>(std::coroutine_handle<Promise>::from_promise(*this));
}

}  // namespace internal
}  // namespace base
