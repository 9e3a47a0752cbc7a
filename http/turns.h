// Fairness between streams.
#pragma once

#include <cstddef>

#include "base/event_loop.h"

namespace http {

// A stream whose two sides are both always ready would never give the loop back. So it counts what
// it moves, and after some of it lets the others have their turn:
//
//   if (turns.due()) co_await turns.yield();
//   turns.moved(n);
class Turns {
 public:
  void moved(size_t bytes) { left_ = bytes < left_ ? left_ - bytes : 0; }
  bool due() const { return left_ == 0; }
  base::NextTurnAwaiter yield() {
    left_ = kBytes;
    return base::next_turn();
  }

 private:
  // Some hundred microseconds of copying.
  static constexpr size_t kBytes = 1024 * 1024;
  size_t left_ = kBytes;
};

}  // namespace http
