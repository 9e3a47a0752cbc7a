#include "base/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "base/fd_watch.h"
#include "base/files.h"
#include "base/strings.h"

namespace base {

namespace {

// What is done to the descriptors in the child: each number that it gets is made from ours, and
// every other is closed.
class FdPlan {
 public:
  // kInvalid for negative numbers and for two descriptors under one number.
  static Result<FdPlan> make(const std::vector<std::pair<int, int>>& fds) {
    FdPlan plan;
    for (auto [ours, theirs] : fds) {
      if (ours < 0 || theirs < 0 || !plan.targets_.insert(theirs).second) {
        return fail(ErrorKind::kInvalid, concat("cannot pass descriptor ", ours, " as ", theirs));
      }
    }
    for (auto [ours, theirs] : fds) {
      if (ours != theirs && plan.targets_.contains(ours)) {
        // Its number is made into another one's before or after: use a copy out of the way.
        Fd copy(fcntl(ours, F_DUPFD_CLOEXEC, std::max(plan.end(), kStandardEnd)));
        if (!copy) return fail_errno(concat("cannot pass descriptor ", ours));
        ours = copy.get();
        plan.copies_.push_back(std::move(copy));
      }
      plan.steps_.emplace_back(ours, theirs);
    }
    return plan;
  }

  void add_to(posix_spawn_file_actions_t& actions) const {
    // With both numbers the same, this takes close-on-exec off.
    for (auto [ours, theirs] : steps_) posix_spawn_file_actions_adddup2(&actions, ours, theirs);
    for (int fd = 0; fd < std::max(end(), kStandardEnd); ++fd) {
      if (targets_.contains(fd)) continue;
      if (fd < kStandardEnd) {
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
      } else {
        posix_spawn_file_actions_addclose(&actions, fd);
      }
    }
    posix_spawn_file_actions_addclosefrom_np(&actions, std::max(end(), kStandardEnd));
  }

 private:
  static constexpr int kStandardEnd = 3;

  // The first number above those of the child.
  int end() const { return targets_.empty() ? 0 : *targets_.rbegin() + 1; }

  std::set<int> targets_;
  std::vector<std::pair<int, int>> steps_;
  std::vector<Fd> copies_;
};

// For a call that wants an array with a null pointer at its end. Valid as long as `texts`.
std::vector<char*> c_strings(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

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

Result<pid_t> spawn_process(const SpawnOptions& options) {
  TRY(FdPlan plan, FdPlan::make(options.fds));
  std::vector<char*> argv = c_strings(options.argv);
  std::vector<char*> environment = c_strings(options.environment);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  plan.add_to(actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t blocked;
  sigset_t all;
  sigemptyset(&blocked);
  for (const int signal : options.blocked_signals) sigaddset(&blocked, signal);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &blocked);
  posix_spawnattr_setsigdefault(&attributes, &all);
  int flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
  if (options.new_session) flags |= POSIX_SPAWN_SETSID;
  posix_spawnattr_setflags(&attributes, static_cast<short>(flags));

  pid_t pid = -1;
  const int code = posix_spawn(&pid, options.path.c_str(), &actions, &attributes, argv.data(),
                               environment.data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  if (code != 0) return fail_errno(concat("Failed to start '", options.path, "'"), code);
  return pid;
}

}  // namespace base
