// The event loop that every coroutine of a process runs on: libevent below, a queue of coroutines
// that are ready to go on above it. Single-threaded: all of base's waiting happens on the thread
// that made the loop.
#pragma once

#include <event2/event.h>

#include <coroutine>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "base/intrusive_list.h"

namespace base {

// A suspended coroutine, as a member of whatever it waits for. Lives in the awaiter, that is in
// the coroutine's own frame, so destroying the coroutine takes it off every list it is on.
class Waiter : public ListLink {
 public:
  void set_handle(std::coroutine_handle<> handle) { handle_ = handle; }
  void resume() { handle_.resume(); }

 private:
  std::coroutine_handle<> handle_;
};

// Must outlive every task that waits for anything. Making one also makes the process ignore
// SIGPIPE, so that writing to a peer that has gone is an error and not the end of the process.
class EventLoop {
 public:
  EventLoop();

  // Does what at_end() was told, the last first. Then joins the worker threads: waits for the work
  // that they are doing, drops what is queued.
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  // The loop of this thread. There must be one.
  static EventLoop& current();

  // For events of libevent's own kinds. Do not run it: run() does, and resumes coroutines.
  event_base* base() { return base_.get(); }

  // Runs until stop() is called; not at all if it was called since the last run.
  void run();

  // Makes run() return as soon as the present coroutine waits. What is ready stays ready.
  void stop();

  // For what belongs to a loop, and that not every program with one is to link.
  void at_end(std::function<void()> undo) { at_end_.push_back(std::move(undo)); }

  // Resumes `waiter` soon, unless it is destroyed before. Whoever signals a coroutine schedules it
  // and never resumes it in place: so nobody's state changes, and no coroutine is destroyed, under
  // the feet of the code that signals. First come, first served. Descriptors and timers get their
  // turn however much the coroutines signal each other.
  void schedule(Waiter& waiter) { ready_.push_back(waiter); }
  void schedule_all(IntrusiveList<Waiter>& waiters) { ready_.splice_back(waiters); }

  // Resumes `waiter` after the loop has looked at descriptors and timers at least once more.
  void schedule_next_turn(Waiter& waiter) { next_turn_.push_back(waiter); }

 private:
  void run_ready();

  struct BaseDeleter {
    void operator()(event_base* base) const { event_base_free(base); }
  };

  std::unique_ptr<event_base, BaseDeleter> base_;
  IntrusiveList<Waiter> ready_;
  IntrusiveList<Waiter> next_turn_;
  std::vector<std::function<void()>> at_end_;
  bool stopping_ = false;
};

// Awaited: lets everything else that is ready go first, descriptors and timers included. For loops
// that could go on for long without ever having to wait.
class NextTurnAwaiter {
 public:
  bool await_ready() const { return false; }
  void await_suspend(std::coroutine_handle<> handle) {
    waiter_.set_handle(handle);
    EventLoop::current().schedule_next_turn(waiter_);
  }
  void await_resume() const {}

 private:
  Waiter waiter_;
};

inline NextTurnAwaiter next_turn() { return {}; }

}  // namespace base
