#include "bench/child.h"

#include <signal.h>
#include <sys/wait.h>

#include <cerrno>

#include "base/spawn.h"
#include "base/strings.h"

namespace bench {

using base::Result;
using base::Status;

Result<pid_t> start_program(const std::vector<std::string>& argv,
                            std::vector<std::pair<int, int>> fds,
                            std::vector<std::string> environment) {
  base::SpawnOptions options;
  options.path = argv.front();
  options.argv = argv;
  options.environment = std::move(environment);
  options.environment.emplace_back(
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  options.fds = std::move(fds);
  return base::spawn_process(options);
}

Result<int> reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return base::fail_errno("waitpid");
  }
  return status;
}

Status expect_exit(pid_t pid, const std::string& what) {
  TRY(const int status, reap(pid));
  if (status == 0) return {};
  return base::fail(base::concat(what, " ends with wait status ", status));
}

Child& Child::operator=(Child&& other) noexcept {
  if (this != &other) {
    kill();
    pid_ = std::exchange(other.pid_, -1);
  }
  return *this;
}

bool Child::has_ended() const {
  siginfo_t info{};
  const int found = waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT);
  return found < 0 || info.si_pid != 0;
}

void Child::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  (void)reap(std::exchange(pid_, -1));
}

}  // namespace bench
