// Work that may hang: system calls on what others own, such as a file system whose server is a
// process of somebody else's.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <stop_token>
#include <vector>

#include "base/result.h"

namespace base {

// Owns what it touches: it may go on long after its caller, and is destroyed on either's thread.
// But it owns no descriptors, which are not the same on the two.
struct BoundedWork {
  // Called once. `given_up`: nobody waits for the result any more; to be asked before each step
  // that must not come late. The step that hangs may still be done, whenever it can.
  std::function<Status(const std::stop_token& given_up)> run;

  // Called next, if `run` has succeeded, but too late for its caller: undoes it. May be empty.
  std::function<void()> undo;

  // The descriptors of this process that the two use, by the same numbers. They need not stay open
  // once run_bounded() has returned.
  std::vector<int> descriptors;
};

inline constexpr size_t kMostHanging = 32;

// Does the work on a thread of its own and gives its result: the caller stands still meanwhile, for
// `patience` at most. Then: kTimeout, and the thread is left to itself. It ends when what it hangs
// in ends, having undone what has succeeded after all. So each piece of work that hangs costs a
// thread and the descriptors named, for as long. While there are kMostHanging of them, nothing is
// begun: kTimeout at once.
//
// The thread has a table of descriptors of its own, in which there are only those, and no signals.
// So it keeps nothing else of this process open, neither a client's connection nor a lock; but
// while it is in a system call that cannot be killed, the process cannot end for its parent.
Status run_bounded(BoundedWork work, std::chrono::nanoseconds patience);

}  // namespace base
