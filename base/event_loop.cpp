#include "base/event_loop.h"

#include <csignal>
#include <cstdlib>

#include "base/worker.h"

namespace base {

namespace {

// How many coroutines are resumed before descriptors and timers are looked at again. Enough that
// the system call does not show, few enough that a key pressed in a session is not kept waiting.
constexpr int kResumesPerTurn = 64;

thread_local EventLoop* current_loop = nullptr;

}  // namespace

EventLoop::EventLoop() {
  event_config* config = event_config_new();
  // No locking: one thread owns the loop. Monotonic time is libevent's default.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  base_.reset(event_base_new_with_config(config));
  event_config_free(config);
  if (base_ == nullptr || current_loop != nullptr) std::abort();
  std::signal(SIGPIPE, SIG_IGN);
  current_loop = this;
}

EventLoop::~EventLoop() {
  while (!at_end_.empty()) {
    const auto undo = std::move(at_end_.back());
    at_end_.pop_back();
    undo();
  }
  internal::stop_workers();
  current_loop = nullptr;
}

EventLoop& EventLoop::current() {
  if (current_loop == nullptr) std::abort();
  return *current_loop;
}

void EventLoop::run() {
  while (!stopping_) {
    run_ready();
    if (stopping_) break;
    const bool idle = ready_.empty() && next_turn_.empty();
    const int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY | (idle ? 0 : EVLOOP_NONBLOCK);
    if (event_base_loop(base_.get(), flags) < 0) std::abort();  // epoll itself has failed
  }
  stopping_ = false;
}

void EventLoop::stop() {
  stopping_ = true;
  event_base_loopbreak(base_.get());
}

void EventLoop::run_ready() {
  ready_.splice_back(next_turn_);
  for (int left = kResumesPerTurn; left > 0 && !stopping_; --left) {
    Waiter* waiter = ready_.pop_front();
    if (waiter == nullptr) return;
    waiter->resume();
  }
}

}  // namespace base
