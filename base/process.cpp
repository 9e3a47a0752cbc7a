#include "base/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "base/fd_watch.h"
#include "base/files.h"
#include "base/strings.h"

namespace base {

Result<Fd> open_pidfd(pid_t pid) {
  Fd fd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (fd) return fd;
  Error error = Error::from_errno(concat("pidfd_open ", pid));
  if (error.code == ESRCH) error.kind = ErrorKind::kNotFound;
  return fail(std::move(error));
}

Task<Result<std::optional<int>>> wait_for_exit(int pidfd) {
  FdWatch watch(pidfd, FdWatch::kRead);
  while (true) {
    siginfo_t info{};
    // __WALL: init processes that were cloned without SIGCHLD must be found too.
    if (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG | __WALL) < 0) {
      if (errno == EINTR) continue;
      if (errno != ECHILD) co_return fail_errno("waitid");
      co_await watch.readable();
      co_return std::optional<int>();
    }
    if (info.si_pid != 0) {
      // Back from siginfo to the wait(2) form that the protocol speaks.
      const int status = info.si_code == CLD_EXITED   ? info.si_status << 8
                         : info.si_code == CLD_DUMPED ? info.si_status | 0x80
                                                      : info.si_status;
      co_return std::optional<int>(status);
    }
    co_await watch.readable();
  }
}

bool has_exited(int pidfd) {
  pollfd entry{pidfd, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

Status send_signal(int pidfd, int signal) {
  if (syscall(SYS_pidfd_send_signal, pidfd, signal, nullptr, 0) == 0) return {};
  Error error = Error::from_errno(concat("signal ", signal));
  if (error.code == ESRCH) error.kind = ErrorKind::kNotFound;
  return fail(std::move(error));
}

Result<uint64_t> process_start_time(pid_t pid) {
  auto stat = read_file(concat("/proc/", pid, "/stat"));
  if (!stat) {
    // ESRCH: it ended after the file was opened.
    const int code = stat.error().code;
    if (code != ENOENT && code != ESRCH) return fail(std::move(stat).error());
    return fail(ErrorKind::kNotFound, concat("no process ", pid));
  }
  // The name (field 2) is in parentheses and may contain anything, so count from its end.
  size_t at = stat->rfind(')');
  for (int field = 2; at != std::string::npos && field < 22; ++field) at = stat->find(' ', at + 1);
  uint64_t value = 0;
  if (at == std::string::npos ||
      std::from_chars(stat->data() + at + 1, stat->data() + stat->size(), value).ec !=
          std::errc()) {
    return fail(concat("cannot read /proc/", pid, "/stat"));
  }
  return value;
}

Result<size_t> spare_descriptors() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return fail_errno("getrlimit");
  struct stat info{};
  if (stat("/proc/self/fd", &info) < 0) return fail_errno("stat '/proc/self/fd'");
  auto used = static_cast<size_t>(info.st_size);
  if (used == 0) {
    // Linux before 6.2
    TRY(const auto names, list_directory("/proc/self/fd"));
    used = names.size();
  }
  return limit.rlim_cur > used ? limit.rlim_cur - used : 0;
}

}  // namespace base
