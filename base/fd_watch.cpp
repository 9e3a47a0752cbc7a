#include "base/fd_watch.h"

#include <poll.h>

#include "base/event_loop.h"

namespace base {

FdWatch::FdWatch(int fd, Direction direction) {
  short what = EV_PERSIST | EV_ET;
  if (direction & kRead) what |= EV_READ | EV_CLOSED;
  if (direction & kWrite) what |= EV_WRITE;
  event_assign(&event_, EventLoop::current().base(), fd, what, on_event, this);
  // It fails with EPERM for what cannot block. Of other causes (no memory, too many watches) the
  // best is made by the same means: whoever waits tries again each turn.
  refused_ = event_add(&event_, nullptr) < 0;
}

FdWatch::~FdWatch() { event_del(&event_); }

bool FdWatch::is_peer_closed() const {
  return closed_.is_set() || ask(POLLRDHUP) & (POLLRDHUP | POLLHUP | POLLERR);
}

bool FdWatch::is_peer_gone() const { return gone_.is_set() || ask(0) & (POLLHUP | POLLERR); }

short FdWatch::ask(short what) const {
  pollfd entry{event_get_fd(&event_), what, 0};
  return ::poll(&entry, 1, 0) > 0 ? entry.revents : short{0};
}

void FdWatch::on_event(evutil_socket_t, short what, void* self) {
  auto* watch = static_cast<FdWatch*>(self);
  if (what & EV_CLOSED) watch->closed_.set();
  if (what & (EV_READ | EV_CLOSED)) watch->readable_.set();
  if (what & EV_WRITE) watch->writable_.set();

  // libevent reports an error (a reset connection, a pipe without a reader) as every direction that
  // is watched, without EV_CLOSED.
  const short directions = event_get_events(&watch->event_) & (EV_READ | EV_WRITE);
  if ((what & directions) == directions && watch->closed_.has_waiters() &&
      watch->is_peer_closed()) {
    watch->closed_.set();
  }
  if (watch->gone_.has_waiters() && watch->is_peer_gone()) watch->gone_.set();
}

}  // namespace base
