// Running shell scripts by spawn_process.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/process.h"
#include "base/spawn.h"
#include "base/stream.h"
#include "tests/base/loop_test.h"

namespace tests {

inline base::SpawnOptions shell(std::string script, std::vector<std::pair<int, int>> fds = {}) {
  return {.path = "/bin/sh",
          .argv = {"sh", "-c", std::move(script)},
          .environment = {"PATH=/usr/bin:/bin"},
          .fds = std::move(fds)};
}

class ProcessFixture : public LoopTest {
 protected:
  // Its raw status.
  std::optional<int> wait(pid_t pid) {
    auto pidfd = base::open_pidfd(pid);
    EXPECT_TRUE(pidfd);
    auto status = run(base::wait_for_exit(pidfd->get()));
    EXPECT_TRUE(status);
    return *status;
  }

  std::optional<int> wait(const base::Result<pid_t>& pid) {
    EXPECT_TRUE(pid) << pid.error().message;
    return pid ? wait(*pid) : std::nullopt;
  }

  // What a shell script writes to its standard output, with more descriptors to its use.
  std::string output(std::string script, std::vector<std::pair<int, int>> fds = {}) {
    auto pipe = base::make_pipe();
    fds.emplace_back(pipe->write_end.get(), 1);
    auto pid = base::spawn_process(shell(std::move(script), std::move(fds)));
    EXPECT_TRUE(pid) << pid.error().message;
    pipe->write_end.reset();
    std::string all;
    char buffer[4096];
    ssize_t n;
    while ((n = ::read(pipe->read_end.get(), buffer, sizeof(buffer))) > 0) {
      all.append(buffer, static_cast<size_t>(n));
    }
    if (pid) waitpid(*pid, nullptr, 0);
    return all;
  }
};

}  // namespace tests
