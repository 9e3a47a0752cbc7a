// What a program does about a signal.
#pragma once

#include <event2/event.h>

#include <functional>
#include <memory>
#include <utility>

#include "base/event_loop.h"

namespace programs {

// From here on the loop, which must outlive this, calls `action` for the signal, instead of what
// the signal would do. One that comes while the loop does not run is acted on when it does.
class SignalHandler {
 public:
  SignalHandler(base::EventLoop& loop, int signal, std::function<void()> action)
      : action_(std::move(action)), event_(evsignal_new(loop.base(), signal, act, this)) {
    event_add(event_.get(), nullptr);
  }
  SignalHandler(const SignalHandler&) = delete;
  SignalHandler& operator=(const SignalHandler&) = delete;
  ~SignalHandler() = default;

 private:
  struct FreeEvent {
    void operator()(event* freed) const { event_free(freed); }
  };

  static void act(evutil_socket_t, short, void* self) {
    static_cast<SignalHandler*>(self)->action_();
  }

  const std::function<void()> action_;
  const std::unique_ptr<event, FreeEvent> event_;
};

}  // namespace programs
