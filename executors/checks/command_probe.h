// A process that a check starts.
#pragma once

#include <signal.h>

#include "executors/process_tree.h"
#include "executors/reaper.h"

namespace executors {

// Kills the process with all that it has started, unless it has ended by itself.
class ProbeProcess {
 public:
  ProbeProcess(Reaper& reaper, pid_t pid) : child_(reaper, pid) {}
  ProbeProcess(const ProbeProcess&) = delete;
  ProbeProcess& operator=(const ProbeProcess&) = delete;
  ~ProbeProcess() {
    if (!child_.has_ended()) signal_tree(child_.pid(), SIGKILL);
  }

  // Awaited: gives its wait(2) status.
  auto end() { return child_.end(); }

 private:
  Reaper::Child child_;
};

}  // namespace executors
