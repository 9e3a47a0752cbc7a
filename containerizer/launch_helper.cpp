#include "containerizer/launch_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>

#include "base/raw_syscall.h"
#include "containerizer/bare_text.h"
#include "isolators/launch_spec.h"

namespace containerizer {

namespace {

using base::raw_syscall;
using isolators::LaunchSpecView;
using isolators::MountView;

constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

// The kernel's own forms; the C library's differ.
using SignalSet = uint64_t;
constexpr SignalSet kAllSignals = ~SignalSet{0};
constexpr SignalSet kNoSignals = 0;
constexpr int kLastSignal = 64;
struct SignalAction {
  uint64_t words[4];  // zero: the default action
};

[[noreturn]] void exit_process(int code) {
  while (true) raw_syscall(SYS_exit_group, code);
}

void write_text(int fd, const BareText& text) {
  // Nothing can be done if stderr does not take it. The status descriptor does: the agent has
  // allocated its block beforehand, so that a full disk loses no status.
  raw_syscall(SYS_write, fd, text.c_str(), text.size());
}

void record_status(int status) {
  BareText text;
  text << static_cast<long>(status);
  write_text(kStatusFd, text);
}

// Ends the helper because a step failed: with a sentence on the container's stderr, and exit 1 as
// the command's status.
[[noreturn]] void fail_step(const char* what, const char* object, long error) {
  BareText text;
  text << "Failed to " << what << " '" << object << "': ";
  describe_error(static_cast<int>(-error), &text);
  text << "\n";
  write_text(STDERR_FILENO, text);
  record_status(1 << 8);
  exit_process(1);
}

void set_signal_mask(SignalSet set) {
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, nullptr, sizeof(set));
}

// --- The steps, in order. ---

// What the agent ignores (SIGPIPE), or was started to ignore (SIGHUP under nohup), is no business
// of the command's.
void reset_signals() {
  const SignalAction default_action{};
  for (int number = 1; number <= kLastSignal; ++number) {
    raw_syscall(SYS_rt_sigaction, number, &default_action, nullptr, sizeof(SignalSet));
  }
  // All blocked: none is lost, and none ends init. The launcher has started us so.
  set_signal_mask(kAllSignals);
}

// Memory that stays; null if there is none.
char* allocate(size_t size) {
  const long at = raw_syscall(SYS_mmap, nullptr, size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return at < 0 && at > -4096 ? nullptr : reinterpret_cast<char*>(at);
}

// Reads the whole LaunchSpec; false if the pipe ends before it is complete.
bool receive_spec(LaunchSpecView* spec) {
  char header[isolators::kLaunchSpecHeaderSize];
  char* message = header;
  char* room = nullptr;
  size_t size = sizeof(header);
  size_t have = 0;
  while (have < size) {
    const long n = raw_syscall(SYS_read, kLaunchSpecFd, message + have, size - have);
    if (n == -EINTR) continue;
    if (n <= 0) return false;
    have += static_cast<size_t>(n);
    if (message == header && have == sizeof(header)) {
      size = isolators::launch_spec_size(header);
      if (size == 0) return false;
      const size_t aligned = (size + 7) / 8 * 8;
      message = allocate(aligned + isolators::launch_spec_room(size));
      if (message == nullptr) return false;
      room = message + aligned;
      memcpy(message, header, sizeof(header));
    }
  }
  raw_syscall(SYS_close, kLaunchSpecFd);
  return isolators::decode_launch_spec(message, size, room, spec);
}

void take_terminal(const LaunchSpecView& spec) {
  if (!spec.controlling_terminal) return;
  const long taken = raw_syscall(SYS_ioctl, STDIN_FILENO, TIOCSCTTY, 0);
  if (taken < 0) fail_step("take as controlling terminal", "stdin", taken);
}

void detach_mounts(const LaunchSpecView& spec) {
  if (!spec.detach_mounts) return;
  const long detached = raw_syscall(SYS_mount, nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr);
  if (detached < 0) fail_step("make slave", "/", detached);
}

void make_mounts(const LaunchSpecView& spec) {
  for (uint32_t i = 0; i < spec.mount_count; ++i) {
    const MountView& entry = spec.mounts[i];
    const long mounted =
        raw_syscall(SYS_mount, entry.source, entry.target, entry.type, entry.flags, entry.options);
    if (mounted < 0) fail_step("mount", entry.target, mounted);
  }
}

// Goes from one directory into another, or makes it there. A link is an error: it would have been
// put there to lead root elsewhere.
long step_down(const char* name) {
  constexpr int kFlags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  long fd = raw_syscall(SYS_openat, AT_FDCWD, name, kFlags);
  if (fd == -ENOENT) {
    raw_syscall(SYS_mkdirat, AT_FDCWD, name, 0755);
    fd = raw_syscall(SYS_openat, AT_FDCWD, name, kFlags);
  }
  if (fd < 0) return fd;
  const long entered = raw_syscall(SYS_fchdir, fd);
  raw_syscall(SYS_close, fd);
  return entered;
}

// A sandbox can lie in that of another container, whose user may swap it, or a directory above it,
// for a link while we go there (CVE-2021-30465 and its kin). So below what the operator has chosen
// every name is entered by itself.
long walk_down(char* path, uint32_t trusted) {
  char* at = path + trusted;
  const char after = *at;
  *at = '\0';
  long entered = raw_syscall(SYS_chdir, trusted == 0 ? "/" : path);
  *at = after;
  while (entered >= 0) {
    while (*at == '/') ++at;
    if (*at == '\0') break;
    char* end = at;
    while (*end != '\0' && *end != '/') ++end;
    const char separator = *end;
    *end = '\0';
    entered = step_down(at);
    *end = separator;
    at = end;
  }
  return entered;
}

void enter_working_directory(const LaunchSpecView& spec) {
  if (spec.working_directory[0] == '\0') return;
  const long entered = walk_down(spec.working_directory, spec.trusted_prefix);
  if (entered < 0) fail_step("change to working directory", spec.working_directory, entered);
}

// Returns 0 or -errno. Only the command changes its user: init stays root, so that the container's
// user cannot kill or stop it.
long become_user(const LaunchSpecView& spec) {
  if (!spec.has_credentials || spec.uid == raw_syscall(SYS_geteuid)) return 0;
  if (long set = raw_syscall(SYS_setgid, spec.gid); set < 0) return set;
  if (long set = raw_syscall(SYS_setgroups, spec.group_count, spec.groups); set < 0) return set;
  if (long set = raw_syscall(SYS_setuid, spec.uid); set < 0) return set;
  // Where fs.suid_dumpable is 1 the kernel has just made our memory, which is init's, fair game for
  // every process of that user in the container (CVE-2016-9962).
  return raw_syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
}

// What the command is to have of the agent's capabilities: those of its user, and none that it
// would inherit. Those that the agent was started with as inheritable or ambient would come back
// with programs that have them in their files (CVE-2022-24769), and securebits can keep them over a
// change of user. Returns 0 or -errno.
long drop_capabilities(const LaunchSpecView& spec) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  if (long got = raw_syscall(SYS_capget, &header, sets); got < 0) return got;
  const bool keeps = !spec.has_credentials || spec.uid == 0;
  for (auto& set : sets) {
    set.inheritable = 0;  // and with them the ambient ones
    if (!keeps) set.permitted = set.effective = 0;
  }
  return raw_syscall(SYS_capset, &header, sets);
}

const char* find_path(char** environment) {
  constexpr char kName[] = "PATH=";
  for (char** at = environment; *at != nullptr; ++at) {
    if (starts_with(*at, kName)) return *at + sizeof(kName) - 1;
  }
  return kDefaultPath;
}

// execve as a shell would: a relative name is taken from the working directory if it is executable
// there, else looked up in the PATH of the new environment. Returns -errno.
long execute(const LaunchSpecView& spec) {
  const char* name = spec.executable;
  if (name[0] == '\0') return -ENOENT;
  if (name[0] == '/' || raw_syscall(SYS_faccessat, AT_FDCWD, name, X_OK) == 0) {
    return raw_syscall(SYS_execve, name, spec.arguments, spec.environment);
  }
  const char* path = find_path(spec.environment);
  long result = -ENOENT;
  while (true) {
    const char* end = path;
    while (*end != '\0' && *end != ':') ++end;
    BareText candidate;
    candidate.append(path, static_cast<size_t>(end - path)) << (end == path ? "" : "/") << name;
    if (candidate.is_complete()) {
      const long executed =
          raw_syscall(SYS_execve, candidate.c_str(), spec.arguments, spec.environment);
      if (executed != -ENOENT && executed != -ENOTDIR) result = executed;
    }
    if (*end == '\0') return result;
    path = end + 1;
  }
}

// What the command's process does until it is the command. It shares the helper's memory.
struct Start {
  const LaunchSpecView* spec;
  volatile long user_error;
  volatile long exec_error;
};

// A process group of its own, in the foreground of the terminal if there is one: what is sent to
// the group (Ctrl-C, kill 0) must not reach init as well, which would pass it on once more. All
// signals are blocked, so that taking the foreground does not stop the taker (SIGTTOU).
void lead_group(const LaunchSpecView& spec) {
  raw_syscall(SYS_setpgid, 0, 0);
  if (!spec.controlling_terminal) return;
  const int group = static_cast<int>(raw_syscall(SYS_getpid));
  raw_syscall(SYS_ioctl, STDIN_FILENO, TIOCSPGRP, &group);
}

int become_command(void* argument) {
  auto* start = static_cast<Start*>(argument);
  lead_group(*start->spec);
  start->user_error = become_user(*start->spec);
  if (start->user_error == 0) start->user_error = drop_capabilities(*start->spec);
  if (start->user_error != 0) return 1;
  // Without a process id namespace nothing else would end it with its init.
  raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  set_signal_mask(kNoSignals);
  start->exec_error = execute(*start->spec);
  return 1;
}

// Starts the command in a process of its own; the helper goes on when it has been executed, and
// knows then what went wrong (as with vfork).
pid_t start_command(const LaunchSpecView& spec) {
  // Part of our own stack, which needs fewer pages than one apart.
  alignas(16) char stack[16 * 1024];
  Start start{&spec, 0, 0};
  clone_args arguments{};
  arguments.flags = CLONE_VM | CLONE_VFORK;
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uint64_t>(stack);
  arguments.stack_size = sizeof(stack);
  const long child = base::raw_clone3(&arguments, become_command, &start);
  if (child < 0) fail_step("fork for", spec.executable, child);
  if (start.user_error != 0) fail_step("change user for", spec.executable, start.user_error);
  if (start.exec_error != 0) fail_step("execute", spec.executable, start.exec_error);
  return static_cast<pid_t>(child);
}

// Reaps every process that ends; true when the command itself was among them.
bool reap(pid_t command, int* status) {
  bool ended = false;
  while (true) {
    int one = 0;
    const long pid = raw_syscall(SYS_wait4, -1, &one, WNOHANG | __WALL, nullptr);
    if (pid <= 0) return ended;
    if (pid == command) {
      *status = one;
      ended = true;
    }
  }
}

// Serves as init until the command ends; returns its wait status. All signals are blocked, so none
// is lost or runs a handler: each is taken here and passed on, but for the kernel's own (a
// terminal's hangup), which the command gets as well.
int supervise(pid_t command) {
  // stdin, stdout and stderr belong to the command alone: while init held them, nobody would see
  // that the command closed its output.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) raw_syscall(SYS_close, fd);
  int status = 0;
  while (!reap(command, &status)) {
    siginfo_t info{};
    const long signal =
        raw_syscall(SYS_rt_sigtimedwait, &kAllSignals, &info, nullptr, sizeof(kAllSignals));
    if (signal <= 0 || signal == SIGCHLD || info.si_code == SI_KERNEL) continue;
    raw_syscall(SYS_kill, command, signal);
  }
  return status;
}

}  // namespace

int run_launch_helper() {
  reset_signals();
  raw_syscall(SYS_fcntl, kLaunchSpecFd, F_SETFD, FD_CLOEXEC);
  raw_syscall(SYS_fcntl, kStatusFd, F_SETFD, FD_CLOEXEC);
  // Nobody inside the container may trace us or read our memory and descriptors through /proc. The
  // launcher has executed us so that this holds from the first instruction on; a debugging host's
  // fs.suid_dumpable would undo that.
  raw_syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  raw_syscall(SYS_setsid);

  LaunchSpecView spec;
  if (!receive_spec(&spec)) {
    BareText text;
    text << kNeverStarted;
    write_text(kStatusFd, text);
    return 1;
  }
  take_terminal(spec);
  detach_mounts(spec);
  make_mounts(spec);
  enter_working_directory(spec);

  const pid_t command = start_command(spec);
  const int status = supervise(command);
  record_status(status);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace containerizer
