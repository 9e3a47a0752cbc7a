// Readiness of a file descriptor, edge-triggered: one epoll registration for the descriptor's whole
// life, however often it is waited for.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <utility>

#include "base/sync.h"

namespace base {

// Watches a non-blocking descriptor (socket, pipe, pty, pidfd, eventfd). Does not own it: it must
// be destroyed before the descriptor is closed. What epoll refuses (a regular file, /dev/null) is
// never blocked, so it counts as always ready, as it does for poll(2).
//
// The rule of use: try the system call first; on EAGAIN wait for readable() or writable(), then try
// again. It may be EAGAIN again. No readiness is lost if something else is awaited in between. One
// waiter for each direction.
class FdWatch {
 public:
  enum Direction { kRead = 1, kWrite = 2, kReadWrite = 3 };

  FdWatch(int fd, Direction direction);
  FdWatch(const FdWatch&) = delete;
  FdWatch& operator=(const FdWatch&) = delete;
  ~FdWatch();

  // Awaited: after EAGAIN, until the descriptor may be read or written (or has an error, or its end
  // of file). Goes on at once if that has happened since the last time one was awaited.
  auto readable() { return EdgeAwaiter{readable_.wait(), *this}; }
  auto writable() { return EdgeAwaiter{writable_.wait(), *this}; }

  // Awaited: until the peer has closed its sending side (EPOLLRDHUP) or the whole connection, also
  // by a reset, even if there still is data to read. For a pipe: until its other end is closed. One
  // waiter.
  auto peer_closed() { return ClosedAwaiter{closed_.wait(), *this}; }
  bool is_peer_closed() const;

  // Awaited: until there is nobody any more. Of a unix peer that is known at once. A TCP peer tells
  // the end of its sending side and no more: that there is nobody behind it shows, by a reset, when
  // something is sent. One waiter.
  auto peer_gone() { return GoneAwaiter{gone_.wait(), *this}; }
  bool is_peer_gone() const;

 private:
  using Inner = decltype(std::declval<Event&>().wait());

  struct EdgeAwaiter {
    Inner inner;
    FdWatch& watch;

    bool await_ready() const { return inner.await_ready(); }
    void await_suspend(std::coroutine_handle<> handle) {
      inner.await_suspend(handle);
      if (watch.refused_) EventLoop::current().schedule_next_turn(inner.waiter);  // moves it there
    }
    void await_resume() const { inner.event.clear(); }
  };

  struct ClosedAwaiter {
    Inner inner;
    FdWatch& watch;

    bool await_ready() const { return watch.is_peer_closed(); }
    void await_suspend(std::coroutine_handle<> handle) { inner.await_suspend(handle); }
    void await_resume() const {}
  };

  struct GoneAwaiter {
    Inner inner;
    FdWatch& watch;

    bool await_ready() const { return watch.is_peer_gone(); }
    void await_suspend(std::coroutine_handle<> handle) { inner.await_suspend(handle); }
    void await_resume() const {}
  };

  short ask(short what) const;
  static void on_event(evutil_socket_t, short what, void* self);

  event event_{};
  Event readable_;
  Event writable_;
  Event closed_;
  Event gone_;
  bool refused_ = false;
};

}  // namespace base
