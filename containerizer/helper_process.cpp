#include "containerizer/helper_process.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/clone.h"
#include "base/fd_window.h"
#include "base/files.h"
#include "base/process.h"
#include "base/raw_syscall.h"
#include "base/stream.h"
#include "base/strings.h"
#include "containerizer/launch_helper.h"

namespace containerizer {

using base::concat;
using base::fail_errno;
using base::Fd;
using base::raw_syscall;
using base::Result;

namespace {

constexpr int kDescriptors = 5;  // the three standard streams, spec, status
constexpr int kMaxGroups = 32;
static_assert(kDescriptors + kMaxGroups < base::FdWindow::kSize - 1);

// Shared between the agent and the children that share its memory.
struct Start {
  int helper_fd;  // in the window
  int window_end;
  int fds[kDescriptors];   // in the window; become 0, 1, 2, kLaunchSpecFd, kStatusFd
  int groups[kMaxGroups];  // in the window
  int group_count;
  int parent_pidfd;
  int enter_namespaces;
  uint64_t clone_flags;
  base::Cloned init;
  base::Cloned between;
  bool between_killed = false;
  // Where it went wrong.
  const char* failed_call = nullptr;
  int failed_errno = 0;
};

#define NO_SANITIZE __attribute__((no_sanitize("address", "undefined")))

NO_SANITIZE int give_up(Start* start, const char* call, long result) {
  start->failed_call = call;
  start->failed_errno = static_cast<int>(-result);
  return 1;
}

// Who executes a program that it may not read gets a process that nobody may look into, from its
// first instruction on (CVE-2016-9962). Our image can be executed only, but root reads everything:
// so for the moment of execve we give up what makes it so. Root has it back afterwards.
NO_SANITIZE long drop_read_override() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  const long got = raw_syscall(SYS_capget, &header, sets);
  if (got < 0) return got;
  sets[0].effective &= ~(CAP_TO_MASK(CAP_DAC_OVERRIDE) | CAP_TO_MASK(CAP_DAC_READ_SEARCH));
  return raw_syscall(SYS_capset, &header, sets);
}

// The future init: leaves our descriptors behind, joins its cgroups, puts its own descriptors in
// place and becomes the helper.
NO_SANITIZE int become_helper(void* argument) {
  auto* start = static_cast<Start*>(argument);
  const long unshared = raw_syscall(SYS_close_range, start->window_end, ~0U, CLOSE_RANGE_UNSHARE);
  if (unshared < 0) return give_up(start, "close_range", unshared);
  for (int i = 0; i < start->group_count; ++i) {
    // "0" is whoever writes it. That this process joins by itself, while it has one thread, spares
    // it the locks that moving somebody else takes.
    const long joined = raw_syscall(SYS_write, start->groups[i], "0", 1);
    if (joined < 0) return give_up(start, "join cgroup", joined);
  }
  for (int target = 0; target < kDescriptors; ++target) {
    const long copied = raw_syscall(SYS_dup3, start->fds[target], target, 0);
    if (copied < 0) return give_up(start, "dup3", copied);
  }
  // Whatever of the agent's is not marked close-on-exec (a library's, an inherited one) must not
  // get into a container. The helper's own image has to stay until it is executed.
  raw_syscall(SYS_close_range, kDescriptors, ~0U, CLOSE_RANGE_CLOEXEC);
  const long unprivileged = drop_read_override();
  if (unprivileged < 0) return give_up(start, "capset", unprivileged);
  char name[] = "mesos-containerizer";
  char launch[] = "launch";
  char* argv[] = {name, launch, nullptr};
  char* environment[] = {nullptr};
  return give_up(start, "execveat",
                 raw_syscall(SYS_execveat, start->helper_fd, "", argv, environment, AT_EMPTY_PATH));
}

constexpr int kReap = WEXITED | __WALL;

// Whether the init is in another process id namespace than the agent's: its parent container's, or
// one within that.
NO_SANITIZE bool is_inside(const Start* start) {
  return (start->enter_namespaces & CLONE_NEWPID) != 0;
}

// Clones the init, as the agent's own child (CLONE_PARENT) unless it is inside.
NO_SANITIZE int clone_init(void* argument) {
  auto* start = static_cast<Start*>(argument);
  base::CloneRequest request;
  request.flags = start->clone_flags | CLONE_FILES | (is_inside(start) ? 0 : CLONE_PARENT);
  request.run = become_helper;
  request.argument = start;
  request.stack = 2;
  const int code = base::clone_vfork(request, &start->init);
  return code == 0 ? 0 : give_up(start, "clone3 of init", code);
}

// Between the agent and the init of a nested container: enters the parent's namespaces. A process
// id namespace takes effect for children only, so one more process stands in between, whose child
// the init is. When it exits, the parent container's init adopts, and reaps, what it leaves.
//
// So nobody in a container's process id namespace is ever left to the agent, or, when the agent has
// died, to the host's pid 1. The container's init, once killed, does not end before everybody in
// its namespace has been reaped: ending a tree would take as long as pid 1 takes for that, and in
// many a container pid 1 never does it.
NO_SANITIZE int enter_and_clone(void* argument) {
  auto* start = static_cast<Start*>(argument);
  const long entered = raw_syscall(SYS_setns, start->parent_pidfd, start->enter_namespaces);
  if (entered < 0) return give_up(start, "setns", entered);
  if (!is_inside(start)) return clone_init(start);
  base::CloneRequest request;
  request.flags = CLONE_FILES;
  request.run = clone_init;
  request.argument = start;
  request.stack = 1;
  const int code = base::clone_vfork(request, &start->between);
  if (code < 0) return give_up(start, "clone3", code);
  siginfo_t info{};
  while (raw_syscall(SYS_waitid, P_PIDFD, start->between.pidfd, &info, kReap, nullptr) == -EINTR) {
  }
  start->between_killed = info.si_code != CLD_EXITED;
  return 0;
}

// The pid of the process as we see it: the one that clone3 gave may be that of another namespace.
Result<pid_t> pid_of(int pidfd) {
  TRY(std::string info, base::read_file(concat("/proc/self/fdinfo/", pidfd)));
  constexpr std::string_view kField = "Pid:";
  const size_t at = info.find(kField);
  if (at != std::string::npos) {
    const size_t end = info.find('\n', at);
    const auto text = std::string_view(info).substr(at + kField.size(), end - at - kField.size());
    if (auto pid = base::parse_number<pid_t>(base::trim(text)); pid && *pid > 0) return *pid;
  }
  return base::fail("Failed to find the pid of the launch helper");
}

// Waits for a child that has done its part; false if it was killed before.
bool reap(int pidfd) {
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, kReap) < 0 && errno == EINTR) {
  }
  return info.si_code == CLD_EXITED;
}

// Kills a process, if there is one, and waits until it is dead, whosever child it is.
void kill_cloned(int pidfd) {
  if (pidfd < 0) return;
  (void)base::send_signal(pidfd, SIGKILL);
  pollfd death{pidfd, POLLIN, 0};
  while (poll(&death, 1, -1) < 0 && errno == EINTR) {
  }
  // It may be ours after all.
  siginfo_t info;
  waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, kReap | WNOHANG);
}

// Waits for the processes between the agent and the init; false if one of them was killed. What it
// had cloned then goes on beside us, on our memory, which is not ours to use before that is dead.
bool reap_between(int outer_pidfd, const Start& start) {
  if (reap(outer_pidfd) && !start.between_killed) return true;
  kill_cloned(start.between.pidfd);
  kill_cloned(start.init.pidfd);
  return false;
}

// From the watchdog's thread, while ours stands still: the kernel has written the descriptors of
// those that there are. The one between us and them goes on, and ends, when they are dead: nobody
// in the container can reach it.
void kill_reachable(Start* start, base::Cloned* outer) {
  // With no namespace to enter, nobody stands between.
  base::Cloned* const first = start->enter_namespaces == 0 ? outer : &start->init;
  for (base::Cloned* process : {first, &start->between}) {
    const int pidfd = std::atomic_ref(process->pidfd).load();
    if (pidfd >= 0) (void)base::send_signal(pidfd, SIGKILL);
  }
}

// Puts all that the future init needs into the window.
base::Status place_descriptors(const HelperImage& helper, const LaunchRequest& request, int spec_fd,
                               base::FdWindow* window, Start* start) {
  TRY(start->helper_fd, window->add(helper.fd()));
  const int given[kDescriptors] = {request.stdin_fd, request.stdout_fd, request.stderr_fd, spec_fd,
                                   request.status_fd};
  for (int i = 0; i < kDescriptors; ++i) {
    TRY(start->fds[i], window->add(given[i]));
  }
  const auto add_group = [&](int group) -> base::Status {
    if (start->group_count == kMaxGroups) return base::fail("Too many cgroups to join");
    TRY(start->groups[start->group_count++], window->add(group));
    return {};
  };
  // The launcher's own first, so that whatever is in another group is in this one as well.
  if (request.tracking_group >= 0) TRY_VOID(add_group(request.tracking_group));
  for (const Fd& group : request.spec->groups) TRY_VOID(add_group(group.get()));
  return {};
}

}  // namespace

Result<ParkedProcess> start_helper(const HelperImage& helper, const LaunchRequest& request,
                                   LaunchWatchdog* watchdog, const std::function<void()>& thaw) {
  TRY(base::Pipe control, base::make_pipe());
  Start start{};
  base::FdWindow window;
  TRY_VOID(place_descriptors(helper, request, control.read_end.get(), &window, &start));
  start.window_end = window.end();
  start.parent_pidfd = request.parent_pidfd;
  start.enter_namespaces = request.parent_pidfd >= 0 ? request.spec->enter_namespaces : 0;
  start.clone_flags = static_cast<uint64_t>(request.spec->clone_namespaces);

  base::Cloned outer;
  base::CloneRequest clone;
  clone.argument = &start;
  clone.flags = CLONE_FILES;  // whichever process clones the init, its pidfd appears in our table
  if (start.enter_namespaces != 0) {
    clone.run = enter_and_clone;
  } else {
    clone.run = become_helper;
    clone.flags |= start.clone_flags;
  }
  int code = 0;
  bool intact = true;
  {
    const LaunchWatchdog::Guard guard(watchdog, [&, told = false]() mutable {
      LOG_IF(WARNING, !std::exchange(told, true))
          << "Container " << request.id.to_string() << " takes too long to start: it is given up";
      thaw();
      kill_reachable(&start, &outer);
    });
    code = base::clone_vfork(clone, &outer);
    if (code == 0 && start.enter_namespaces != 0) intact = reap_between(outer.pidfd, start);
  }
  if (code < 0) return fail_errno("clone3", -code);
  if (start.enter_namespaces == 0) start.init = std::exchange(outer, {});
  // Not before the watchdog has let go of them.
  const Fd outer_pidfd(outer.pidfd);
  const Fd between_pidfd(start.between.pidfd);
  Fd init_pidfd(start.init.pidfd);
  if (!intact) return base::fail("Failed to start the launch helper: it was killed");
  ParkedProcess process;
  process.pidfd = std::move(init_pidfd);
  process.control = std::move(control.write_end);
  if (start.failed_call != nullptr) {
    siginfo_t info;
    if (process.pidfd) waitid(P_PIDFD, static_cast<id_t>(process.pidfd.get()), &info, kReap);
    return fail_errno(concat("Failed to start the launch helper: ", start.failed_call),
                      start.failed_errno);
  }
  process.pid = start.init.pid;
  if (start.between.pid > 0) {
    TRY(process.pid, pid_of(process.pidfd.get()));
  }
  return process;
}

Result<HelperImage> HelperImage::load(const std::string& path) {
  TRY(std::string content, base::read_file(path));
  Fd fd(memfd_create("mesos-containerizer", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd) return fail_errno("memfd_create");
  std::string_view left = content;
  while (!left.empty()) {
    const ssize_t n = write(fd.get(), left.data(), left.size());
    if (n < 0) return fail_errno("write to memfd");
    left.remove_prefix(static_cast<size_t>(n));
  }
  // An executable that is open for writing anywhere cannot be executed (ETXTBSY).
  Fd read_only(open(concat("/proc/self/fd/", fd.get()).c_str(), O_RDONLY | O_CLOEXEC));
  if (!read_only) return fail_errno("open of memfd");
  // To execute only: see drop_read_override().
  if (fchmod(fd.get(), 0100) < 0) return fail_errno("fchmod of memfd");
  if (fcntl(fd.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
    return fail_errno("fcntl(F_ADD_SEALS)");
  }
  return HelperImage(std::move(read_only));
}

}  // namespace containerizer
