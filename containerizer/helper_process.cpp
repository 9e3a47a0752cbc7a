#include "containerizer/helper_process.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <linux/capability.h>
#include <linux/close_range.h>
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

// Shared between the agent and the children that share its memory.
struct Start {
  int helper_fd;
  int fds[kDescriptors];  // ours; become 0, 1, 2, kLaunchSpecFd, kStatusFd
  int groups[kMaxGroups];
  int group_count;
  int parent_pidfd;
  int enter_namespaces;
  uint64_t clone_flags;
  base::Cloned init;
  base::Cloned between;
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

// The future init: joins its cgroups, puts its descriptors in place and becomes the helper.
NO_SANITIZE int become_helper(void* argument) {
  auto* start = static_cast<Start*>(argument);
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

// Clones the init as the agent's own child (CLONE_PARENT), so that the agent can reap it.
NO_SANITIZE int clone_init(void* argument) {
  auto* start = static_cast<Start*>(argument);
  base::CloneRequest request;
  request.flags = start->clone_flags | CLONE_PARENT;
  request.run = become_helper;
  request.argument = start;
  request.stack = 2;
  const int code = base::clone_vfork(request, &start->init);
  return code == 0 ? 0 : give_up(start, "clone3 of init", code);
}

// Between the agent and the init of a nested container: enters the parent's namespaces. A process
// id namespace takes effect for children only, and only who lives in it may make one within it: so
// if both are asked for, one more process stands in between.
NO_SANITIZE int enter_and_clone(void* argument) {
  auto* start = static_cast<Start*>(argument);
  const long entered = raw_syscall(SYS_setns, start->parent_pidfd, start->enter_namespaces);
  if (entered < 0) return give_up(start, "setns", entered);
  const bool nests = start->enter_namespaces & CLONE_NEWPID && start->clone_flags & CLONE_NEWPID;
  if (!nests) return clone_init(start);
  base::CloneRequest request;
  request.flags = CLONE_PARENT | CLONE_FILES;
  request.run = clone_init;
  request.argument = start;
  request.stack = 1;
  const int code = base::clone_vfork(request, &start->between);
  return code == 0 ? 0 : give_up(start, "clone3", code);
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

constexpr int kReap = WEXITED | __WALL;

// Waits for a process that has done its part; false if it was killed before.
bool reap(const base::Cloned& process) {
  if (process.pidfd < 0) return true;
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(process.pidfd), &info, kReap) < 0 && errno == EINTR) {
  }
  close(process.pidfd);
  return info.si_code == CLD_EXITED;
}

// Waits for the processes between the agent and the init; false if one of them was killed. What it
// had cloned then goes on beside us, on our memory, which is not ours to use before that is dead.
bool reap_between(const base::Cloned& outer, Start* start) {
  bool intact = reap(outer);
  if (!intact) (void)base::send_signal(start->between.pidfd, SIGKILL);
  if (!reap(start->between)) intact = false;
  if (intact) return true;
  (void)base::send_signal(start->init.pidfd, SIGKILL);
  reap(start->init);
  return false;
}

// From the watchdog's thread, while ours stands still: the kernel has written the descriptors of
// those that there are. The one between us and them goes on, and ends, when they are dead: nobody
// in the container can reach it.
void kill_reachable(Start* start) {
  for (base::Cloned* process : {&start->init, &start->between}) {
    const int pidfd = std::atomic_ref(process->pidfd).load();
    if (pidfd >= 0) (void)base::send_signal(pidfd, SIGKILL);
  }
}

// Where each descriptor has to go must not be where another one still is: those are moved above,
// and kept in `copies`.
base::Status place_descriptors(const LaunchRequest& request, int spec_fd, Start* start,
                               std::vector<Fd>* copies) {
  const int given[kDescriptors] = {request.stdin_fd, request.stdout_fd, request.stderr_fd, spec_fd,
                                   request.status_fd};
  for (int i = 0; i < kDescriptors; ++i) {
    start->fds[i] = given[i];
    if (given[i] >= kDescriptors) continue;
    Fd copy(fcntl(given[i], F_DUPFD_CLOEXEC, kDescriptors));
    if (!copy) return fail_errno("fcntl(F_DUPFD_CLOEXEC)");
    start->fds[i] = copy.get();
    copies->push_back(std::move(copy));
  }
  return {};
}

base::Status collect_groups(const LaunchRequest& request, Start* start) {
  if (request.spec->groups.size() >= kMaxGroups) return base::fail("Too many cgroups to join");
  // The launcher's own first, so that whatever is in another group is in this one as well.
  if (request.tracking_group >= 0) start->groups[start->group_count++] = request.tracking_group;
  for (const Fd& group : request.spec->groups) start->groups[start->group_count++] = group.get();
  return {};
}

}  // namespace

Result<ParkedProcess> start_helper(const HelperImage& helper, const LaunchRequest& request,
                                   LaunchWatchdog* watchdog, const std::function<void()>& thaw) {
  TRY(base::Pipe control, base::make_pipe());
  Start start{};
  std::vector<Fd> copies;
  TRY_VOID(place_descriptors(request, control.read_end.get(), &start, &copies));
  TRY_VOID(collect_groups(request, &start));
  start.helper_fd = helper.fd();
  start.parent_pidfd = request.parent_pidfd;
  start.enter_namespaces = request.parent_pidfd >= 0 ? request.spec->enter_namespaces : 0;
  start.clone_flags = static_cast<uint64_t>(request.spec->clone_namespaces);

  base::Cloned outer;
  base::CloneRequest clone;
  clone.argument = &start;
  if (start.enter_namespaces != 0) {
    clone.run = enter_and_clone;
    clone.flags = CLONE_FILES;  // the init's pidfd appears in our table
  } else {
    clone.run = become_helper;
    clone.flags = start.clone_flags;
  }
  int code = 0;
  {
    const LaunchWatchdog::Guard guard(watchdog, [&, told = false]() mutable {
      LOG_IF(WARNING, !std::exchange(told, true))
          << "Container " << request.id.to_string() << " takes too long to start: it is given up";
      thaw();
      kill_reachable(&start);
    });
    code = base::clone_vfork(clone, &outer);
  }
  if (code < 0) return fail_errno("clone3", -code);
  if (start.enter_namespaces == 0) {
    start.init = outer;
  } else {
    if (!reap_between(outer, &start)) {
      return base::fail("Failed to start the launch helper: it was killed");
    }
  }
  ParkedProcess process;
  process.pidfd = Fd(start.init.pidfd);
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
  // Where no helper's own descriptors are put.
  Fd image(fcntl(read_only.get(), F_DUPFD_CLOEXEC, kDescriptors));
  if (!image) return fail_errno("fcntl(F_DUPFD_CLOEXEC)");
  return HelperImage(std::move(image));
}

}  // namespace containerizer
