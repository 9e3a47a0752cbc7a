#include "base/spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "base/clone.h"
#include "base/fd.h"
#include "base/fd_window.h"
#include "base/raw_syscall.h"
#include "base/strings.h"

namespace base {

namespace {

constexpr int kStandardFds = 3;
constexpr int kLastSignal = 64;
constexpr size_t kKernelMaskSize = 8;

// What the child reads and writes of our memory, while we stand still.
struct Start {
  const char* path;
  char* const* argv;
  char* const* environment;
  const std::pair<int, int>* fds;  // {in the window, the child's}
  size_t fd_count;
  int window_end;
  bool new_session;
  uint64_t blocked_signals;
  int failed_errno = 0;
};

#define NO_SANITIZE __attribute__((no_sanitize("address", "undefined")))

// The child, on our memory: system calls only.
NO_SANITIZE int give_up(Start* start, long result) {
  start->failed_errno = static_cast<int>(-result);
  return 127;
}

NO_SANITIZE int become_program(void* argument) {
  auto* start = static_cast<Start*>(argument);
  long result = raw_syscall(SYS_close_range, start->window_end, ~0U, CLOSE_RANGE_UNSHARE);
  if (result < 0) return give_up(start, result);
  // What it is given is made anew below, without the flag.
  raw_syscall(SYS_close_range, 0, ~0U, CLOSE_RANGE_CLOEXEC);
  for (size_t i = 0; i < start->fd_count; ++i) {
    const auto* fds = start->fds + i;
    result = raw_syscall(SYS_dup3, fds->first, fds->second, 0);
    if (result < 0) return give_up(start, result);
  }
  if (start->new_session) raw_syscall(SYS_setsid);
  // The kernel's sigaction, not the C library's; all zeros is SIG_DFL.
  const unsigned char by_default[64] = {};
  for (int signal = 1; signal <= kLastSignal; ++signal) {
    raw_syscall(SYS_rt_sigaction, signal, by_default, nullptr, kKernelMaskSize);
  }
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &start->blocked_signals, nullptr, kKernelMaskSize);
  return give_up(start, raw_syscall(SYS_execve, start->path, start->argv, start->environment));
}

// Puts what the child gets into the window.
Result<std::vector<std::pair<int, int>>> place(const std::vector<std::pair<int, int>>& fds,
                                               FdWindow* window) {
  std::vector<std::pair<int, int>> placed;
  std::array<bool, FdWindow::kBegin> taken{};
  for (auto [ours, theirs] : fds) {
    if (ours < 0 || theirs < 0 || theirs >= FdWindow::kBegin ||
        std::exchange(taken[theirs], true)) {
      return fail(ErrorKind::kInvalid, concat("cannot pass descriptor ", ours, " as ", theirs));
    }
    TRY(const int number, window->add(ours));
    placed.emplace_back(number, theirs);
  }
  if (std::all_of(taken.begin(), taken.begin() + kStandardFds, std::identity())) return placed;
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null) return fail_errno("open '/dev/null'");
  TRY(const int number, window->add(null.get()));
  for (int fd = 0; fd < kStandardFds; ++fd) {
    if (!taken[fd]) placed.emplace_back(number, fd);
  }
  return placed;
}

// For a call that wants an array with a null pointer at its end. Valid as long as `texts`.
std::vector<char*> c_strings(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

Result<pid_t> spawn_process(const SpawnOptions& options) {
  FdWindow window;
  TRY(const auto fds, place(options.fds, &window));
  const std::vector<char*> argv = c_strings(options.argv);
  const std::vector<char*> environment = c_strings(options.environment);
  Start start{.path = options.path.c_str(),
              .argv = argv.data(),
              .environment = environment.data(),
              .fds = fds.data(),
              .fd_count = fds.size(),
              .window_end = window.end(),
              .new_session = options.new_session,
              .blocked_signals = 0};
  for (const int signal : options.blocked_signals) {
    start.blocked_signals |= uint64_t{1} << (signal - 1);
  }
  CloneRequest request;
  request.flags = CLONE_FILES;
  request.run = become_program;
  request.argument = &start;
  Cloned child;
  const int code = clone_vfork(request, &child);
  if (code < 0) return fail_errno(concat("Failed to start '", options.path, "'"), -code);
  const Fd pidfd(child.pidfd);
  if (start.failed_errno == 0) return child.pid;
  while (waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return fail_errno(concat("Failed to start '", options.path, "'"), start.failed_errno);
}

}  // namespace base
