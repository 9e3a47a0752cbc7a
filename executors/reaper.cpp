#include "executors/reaper.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd_watch.h"

namespace executors {

base::Result<Reaper> Reaper::create() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) return base::fail_errno("prctl");
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  base::Fd signals(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  if (!signals) return base::fail_errno("signalfd");
  return Reaper(std::move(signals));
}

base::Task<void> Reaper::run() {
  base::FdWatch watch(signals_.get(), base::FdWatch::kRead);
  while (true) {
    signalfd_siginfo info;
    // One signal can stand for several children, and the edge must be used up.
    while (read(signals_.get(), &info, sizeof(info)) > 0) {
    }
    reap();
    co_await watch.readable();
  }
}

void Reaper::reap() {
  while (true) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, WNOHANG);
    if (pid < 0 && errno == EINTR) continue;
    if (pid <= 0) return;
    const auto wanted = wanted_.find(pid);
    if (wanted != wanted_.end()) wanted->second->set(status);
  }
}

}  // namespace executors
