// The ends of this process's children: those that it started, and those that it inherits as the
// subreaper of all its descendants.
#pragma once

#include <sys/types.h>

#include <map>
#include <utility>

#include "base/fd.h"
#include "base/result.h"
#include "base/sync.h"
#include "base/task.h"

namespace executors {

class Reaper {
 public:
  // Makes this process the subreaper and blocks SIGCHLD. One for a process.
  static base::Result<Reaper> create();

  // Reaps whatever ends, for ever.
  base::Task<void> run();

  // A child whose status is wanted. To be made before anything is awaited after the child was
  // started; must not outlive the reaper. Destroyed, the child is reaped all the same.
  class Child {
   public:
    Child(Reaper& reaper, pid_t pid) : reaper_(reaper), pid_(pid) { reaper_.wanted_[pid] = &end_; }
    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;
    ~Child() { reaper_.wanted_.erase(pid_); }

    pid_t pid() const { return pid_; }
    bool has_ended() const { return end_.is_set(); }

    // Awaited: gives its wait(2) status.
    auto end() { return end_.wait(); }

   private:
    Reaper& reaper_;
    pid_t pid_;
    base::OneShot<int> end_;
  };

 private:
  explicit Reaper(base::Fd signals) : signals_(std::move(signals)) {}

  void reap();

  base::Fd signals_;  // a signalfd of SIGCHLD
  std::map<pid_t, base::OneShot<int>*> wanted_;
};

}  // namespace executors
