// Starting a program.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace base {

struct SpawnOptions {
  std::string path;  // not searched for in PATH
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // "NAME=value"
  // {ours, child's}: the only descriptors the child gets, close-on-exec or not. In any combination,
  // but no number of the child's twice, and none from FdWindow::kBegin on. Of 0, 1 and 2, what is
  // not named is /dev/null.
  std::vector<std::pair<int, int>> fds;
  bool new_session = false;
  // Blocked from the child's first instruction on; all others are not.
  std::vector<int> blocked_signals;
};

// Starts a program (without copying our page tables or our descriptors) and gives its pid: a child
// of ours, to be reaped by wait_for_exit. All signals have their default action. Fails if the
// program cannot be executed; the error has its errno. On any thread.
Result<pid_t> spawn_process(const SpawnOptions& options);

}  // namespace base
