// Descriptors for a new process, found a place below nearly all others.
//
// A process that is cloned in the usual way gets copies of all our descriptors, and closes them one
// by one when it executes its program: a process that has 5,000 of them pays 0.4 ms for every other
// that it starts. One that is cloned with CLONE_FILES shares them, and can then leave them behind
// at once with close_range(CLOSE_RANGE_UNSHARE), which copies only those below a number. So what
// the new process needs has to have a low number: a few are kept free for this, from the start.
#pragma once

#include <array>
#include <mutex>

#include "base/result.h"

namespace base {

// The window, in the hands of one thread from construction to destruction. What was put into it is
// taken out again at the end, when the new process has its own table.
class FdWindow {
 public:
  // What the new process is given must have numbers below this one: never one of the window's.
  static constexpr int kBegin = 64;
  static constexpr size_t kSize = 40;

  // Keeps the numbers free. The first use does so as well, but then with what numbers there are.
  static Status reserve();

  FdWindow();
  FdWindow(const FdWindow&) = delete;
  FdWindow& operator=(const FdWindow&) = delete;
  ~FdWindow();

  // Puts a copy (close-on-exec) into the window and gives its number.
  Result<int> add(int fd);

  // Above all of the window's numbers: what the new process gives to close_range.
  int end() const;

 private:
  std::unique_lock<std::mutex> lock_;
  size_t used_ = 0;
};

}  // namespace base
