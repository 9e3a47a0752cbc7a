// What one coroutine uses to wait for another: Event and OneShot<T>.
#pragma once

#include <optional>
#include <utility>

#include "base/event_loop.h"

namespace base {

// A flag that coroutines wait for. Once set it stays set until clear(). Belongs to the loop's
// thread. It must outlive its waiters: those of a destroyed Event never go on, which is harmless
// only if they are cancelled next.
class Event {
 public:
  bool is_set() const { return set_; }

  // Whether a coroutine waits that has not been let go on yet.
  bool has_waiters() const { return !waiters_.empty(); }

  // Lets every present and later waiter go on, present ones in the order of their coming, even if
  // clear() is called before it is their turn. Setting it twice does nothing more.
  void set() {
    set_ = true;
    if (has_waiters()) EventLoop::current().schedule_all(waiters_);
  }
  void clear() { set_ = false; }

  // Awaited: goes on when the flag is set.
  auto wait() { return Awaiter{*this}; }

 private:
  struct Awaiter {
    Event& event;
    Waiter waiter{};

    bool await_ready() const { return event.set_; }
    void await_suspend(std::coroutine_handle<> handle) {
      waiter.set_handle(handle);
      event.waiters_.push_back(waiter);
    }
    void await_resume() const {}
  };

  bool set_ = false;
  IntrusiveList<Waiter> waiters_;
};

// A value that is set once and read by any number of waiters. Must outlive them.
template <typename T>
class OneShot {
 public:
  bool is_set() const { return value_.has_value(); }

  // The first value counts; later ones are dropped.
  void set(T value) {
    if (value_) return;
    value_.emplace(std::move(value));
    event_.set();
  }

  // Only once it is set.
  const T& get() const { return *value_; }

  // Awaited: gives a reference to the value, valid as long as this object.
  auto wait() { return Awaiter{event_.wait(), *this}; }

 private:
  struct Awaiter {
    decltype(std::declval<Event&>().wait()) inner;
    OneShot& owner;

    bool await_ready() const { return inner.await_ready(); }
    void await_suspend(std::coroutine_handle<> handle) { inner.await_suspend(handle); }
    const T& await_resume() const { return *owner.value_; }
  };

  std::optional<T> value_;
  Event event_;
};

}  // namespace base
