#include "containerizer/launch_helper.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "isolators/launch_spec.h"

namespace containerizer {

namespace {

using isolators::LaunchSpecView;
using isolators::MountView;

constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

void write_text(int fd, const char* text) {
  // Nothing can be done if stderr does not take it.
  [[maybe_unused]] ssize_t n = write(fd, text, strlen(text));
}

// The status descriptor is the truth about the command; a full disk must not lose it, so the agent
// has allocated its block beforehand.
void record_status(int status) {
  char text[16];
  snprintf(text, sizeof(text), "%d", status);
  write_text(kStatusFd, text);
}

// Ends the helper because a step failed: with a sentence on the container's stderr, and exit 1 as
// the command's status.
[[noreturn]] void fail_step(const char* what, const char* object) {
  const int code = errno;
  char text[1024];
  snprintf(text, sizeof(text), "Failed to %s '%s': %s\n", what, object, strerror(code));
  write_text(STDERR_FILENO, text);
  record_status(1 << 8);
  _exit(1);
}

// --- The steps, in order. ---

// What the agent ignores (SIGPIPE), or was started to ignore (SIGHUP under nohup), is no business
// of the command's.
void reset_signals() {
  struct sigaction action{};
  action.sa_handler = SIG_DFL;
  for (int number = 1; number < NSIG; ++number) sigaction(number, &action, nullptr);
  // All blocked: none is lost, and none ends init. The launcher has started us so.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
}

// Reads the whole LaunchSpec; false if the pipe ends before it is complete.
bool receive_spec(LaunchSpecView* spec) {
  char header[isolators::kLaunchSpecHeaderSize];
  char* message = header;
  size_t size = sizeof(header);
  size_t have = 0;
  while (have < size) {
    const ssize_t n = read(kLaunchSpecFd, message + have, size - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    have += static_cast<size_t>(n);
    if (message == header && have == sizeof(header)) {
      size = isolators::launch_spec_size(header);
      if (size == 0) return false;
      message = static_cast<char*>(malloc(size));
      if (message == nullptr) return false;
      memcpy(message, header, sizeof(header));
    }
  }
  close(kLaunchSpecFd);
  return isolators::decode_launch_spec(message, size, spec);
}

void take_terminal(const LaunchSpecView& spec) {
  if (!spec.controlling_terminal) return;
  if (ioctl(STDIN_FILENO, TIOCSCTTY, 0) < 0) fail_step("take as controlling terminal", "stdin");
}

void detach_mounts(const LaunchSpecView& spec) {
  if (!spec.detach_mounts) return;
  if (mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0) fail_step("make slave", "/");
}

void make_mounts(const LaunchSpecView& spec) {
  for (uint32_t i = 0; i < spec.mount_count; ++i) {
    const MountView& entry = spec.mounts[i];
    if (mount(entry.source, entry.target, entry.type, entry.flags, entry.options) < 0) {
      fail_step("mount", entry.target);
    }
  }
}

void make_directories(char* path) {
  for (char* slash = path + 1; (slash = strchr(slash, '/')) != nullptr; ++slash) {
    *slash = '\0';
    mkdir(path, 0755);
    *slash = '/';
  }
  mkdir(path, 0755);
}

void enter_working_directory(const LaunchSpecView& spec) {
  if (spec.working_directory[0] == '\0') return;
  if (chdir(spec.working_directory) == 0) return;
  if (errno == ENOENT) {
    make_directories(const_cast<char*>(spec.working_directory));
    if (chdir(spec.working_directory) == 0) return;
  }
  fail_step("change to working directory", spec.working_directory);
}

// Returns errno, or 0. Only the command changes its user: init stays root, so that the container's
// user cannot kill or stop it.
int become_user(const LaunchSpecView& spec) {
  if (!spec.has_credentials || spec.uid == geteuid()) return 0;
  if (setgid(spec.gid) < 0) return errno;
  if (setgroups(spec.group_count, spec.groups) < 0) return errno;
  if (setuid(spec.uid) < 0) return errno;
  return 0;
}

const char* find_variable(char** environment, const char* name) {
  const size_t length = strlen(name);
  for (char** at = environment; *at != nullptr; ++at) {
    if (strncmp(*at, name, length) == 0 && (*at)[length] == '=') return *at + length + 1;
  }
  return nullptr;
}

// execve as a shell would: a relative name is taken from the working directory if it is executable
// there, else looked up in the PATH of the new environment. Returns errno.
int execute(const LaunchSpecView& spec) {
  const char* name = spec.executable;
  if (name[0] == '\0') return ENOENT;
  if (name[0] == '/' || access(name, X_OK) == 0) {
    execve(name, spec.arguments, spec.environment);
    return errno;
  }
  const char* path = find_variable(spec.environment, "PATH");
  if (path == nullptr) path = kDefaultPath;
  int code = ENOENT;
  while (true) {
    const char* end = strchrnul(path, ':');
    char candidate[4096];
    const int written = snprintf(candidate, sizeof(candidate), "%.*s%s%s",
                                 static_cast<int>(end - path), path, end == path ? "" : "/", name);
    if (written > 0 && static_cast<size_t>(written) < sizeof(candidate)) {
      execve(candidate, spec.arguments, spec.environment);
      if (errno != ENOENT && errno != ENOTDIR) code = errno;
    }
    if (*end == '\0') return code;
    path = end + 1;
  }
}

// Starts the command in a process of its own; the helper goes on when it has been executed (vfork:
// no copy of the address space, and the child's errors are known here).
pid_t start_command(const LaunchSpecView& spec) {
  volatile int user_error = 0;
  volatile int exec_error = 0;
  const pid_t child = vfork();
  if (child < 0) fail_step("fork for", spec.executable);
  if (child == 0) {
    user_error = become_user(spec);
    if (user_error != 0) _exit(1);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    exec_error = execute(spec);
    _exit(1);
  }
  if (user_error != 0) {
    errno = user_error;
    fail_step("change user for", spec.executable);
  }
  if (exec_error != 0) {
    errno = exec_error;
    fail_step("execute", spec.executable);
  }
  return child;
}

// Reaps every process that ends; true when the command itself was among them.
bool reap(pid_t command, int* status) {
  bool ended = false;
  while (true) {
    int one = 0;
    const pid_t pid = waitpid(-1, &one, WNOHANG | __WALL);
    if (pid <= 0) return ended;
    if (pid == command) {
      *status = one;
      ended = true;
    }
  }
}

// Serves as init until the command ends; returns its wait status. All signals are blocked, so none
// is lost or runs a handler: each is taken here and passed on.
int supervise(pid_t command) {
  // stdin, stdout and stderr belong to the command alone: while init held them, nobody would see
  // that the command closed its output.
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) close(fd);
  sigset_t all;
  sigfillset(&all);
  int status = 0;
  while (!reap(command, &status)) {
    siginfo_t info;
    const int signal = sigwaitinfo(&all, &info);
    if (signal > 0 && signal != SIGCHLD) kill(command, signal);
  }
  return status;
}

}  // namespace

int run_launch_helper() {
  reset_signals();
  fcntl(kLaunchSpecFd, F_SETFD, FD_CLOEXEC);
  fcntl(kStatusFd, F_SETFD, FD_CLOEXEC);
  // Nobody inside the container may trace us or read our memory and descriptors through /proc.
  prctl(PR_SET_DUMPABLE, 0);
  setsid();

  LaunchSpecView spec;
  if (!receive_spec(&spec)) {
    write_text(kStatusFd, kNeverStarted);
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
