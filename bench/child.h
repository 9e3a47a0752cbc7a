// Programs that the bench starts and waits for, without an event loop.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace bench {

// Starts a program with an environment of PATH and `environment`. Its descriptors are those of
// `fds`
// ({ours, its}); what is not named of 0, 1 and 2 is /dev/null. Close-on-exec descriptors of ours
// included.
base::Result<pid_t> start_program(const std::vector<std::string>& argv,
                                  std::vector<std::pair<int, int>> fds = {},
                                  std::vector<std::string> environment = {});

// Waits for its end; gives the raw wait status.
base::Result<int> reap(pid_t pid);

// Waits for its end, which must be exit status 0.
base::Status expect_exit(pid_t pid, const std::string& what);

// Kills the process when destroyed and reaps it.
class Child {
 public:
  Child() = default;
  explicit Child(pid_t pid) : pid_(pid) {}
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&& other) noexcept;
  ~Child() { kill(); }

  pid_t pid() const { return pid_; }

  // The process is the caller's from now on.
  pid_t release() { return std::exchange(pid_, -1); }

  // Without reaping it.
  bool has_ended() const;

  // SIGKILL, and waits until it has taken effect. Nothing if there is no process.
  void kill();

 private:
  pid_t pid_ = -1;
};

}  // namespace bench
