#include "executors/process.h"

#include <fcntl.h>
#include <paths.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include "base/clone.h"
#include "base/fd.h"
#include "base/raw_syscall.h"
#include "base/strings.h"

namespace executors {

using base::concat;

namespace {

constexpr char kShell[] = "/bin/sh";
constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
constexpr size_t kKernelMaskSize = 8;

// What the child reads and writes of our memory, while we stand still.
struct Start {
  const char* const* candidates;  // of files, ends with a null pointer
  const char** argv;              // has room for one more in front
  char* const* environment;
  int stdin_fd;
  int stdout_fd;
  bool change_user;
  uid_t uid;
  gid_t gid;
  const gid_t* groups;
  size_t group_count;
  bool foreground;
  int failed_errno = 0;
};

#define NO_SANITIZE __attribute__((no_sanitize("address", "undefined")))

NO_SANITIZE int give_up(Start* start, long result) {
  start->failed_errno = static_cast<int>(-result);
  return 127;
}

NO_SANITIZE long become_user(const Start* start) {
  long result = base::raw_syscall(SYS_setgroups, start->group_count, start->groups);
  if (result == 0) result = base::raw_syscall(SYS_setresgid, start->gid, start->gid, start->gid);
  if (result == 0) result = base::raw_syscall(SYS_setresuid, start->uid, start->uid, start->uid);
  return result;
}

// Tries one file after the other, as execvp does: what is not there, or must not be executed, does
// not end the search; a file without a header is a script for the shell.
NO_SANITIZE int execute(Start* start) {
  long found = -ENOENT;
  for (const char* const* file = start->candidates; *file != nullptr; ++file) {
    long result = base::raw_syscall(SYS_execve, *file, start->argv + 1, start->environment);
    if (result == -ENOEXEC) {
      start->argv[0] = kShell;
      start->argv[1] = *file;
      result = base::raw_syscall(SYS_execve, kShell, start->argv, start->environment);
    }
    if (result != -ENOENT && result != -ENOTDIR) found = result;
    if (result != -ENOENT && result != -ENOTDIR && result != -EACCES) break;
  }
  return give_up(start, found);
}

// The child, on our memory: system calls only. All signals are blocked, so that taking the terminal
// does not stop it.
NO_SANITIZE int become_program(void* argument) {
  auto* start = static_cast<Start*>(argument);
  if (start->foreground) {
    base::raw_syscall(SYS_setpgid, 0, 0);
    const auto group = static_cast<int>(base::raw_syscall(SYS_getpid));
    base::raw_syscall(SYS_ioctl, STDIN_FILENO, TIOCSPGRP, &group);
  } else {
    base::raw_syscall(SYS_setsid);
  }
  if (start->stdin_fd != STDIN_FILENO) {
    base::raw_syscall(SYS_dup3, start->stdin_fd, STDIN_FILENO, 0);
  }
  if (start->stdout_fd != STDOUT_FILENO) {
    base::raw_syscall(SYS_dup3, start->stdout_fd, STDOUT_FILENO, 0);
  }
  // The kernel's sigaction, not the C library's; all zeros is SIG_DFL. Handlers are reset already,
  // what is ignored is not.
  const unsigned char by_default[64] = {};
  base::raw_syscall(SYS_rt_sigaction, SIGPIPE, by_default, nullptr, kKernelMaskSize);
  base::raw_syscall(SYS_rt_sigaction, SIGTTOU, by_default, nullptr, kKernelMaskSize);
  const uint64_t none = 0;
  base::raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kKernelMaskSize);
  if (start->change_user) {
    const long result = become_user(start);
    if (result < 0) return give_up(start, result);
  }
  return execute(start);
}

std::string_view name_of(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

std::string_view path_of(const std::vector<std::string>& environment) {
  for (const std::string_view variable : environment) {
    if (variable.starts_with("PATH=")) return variable.substr(sizeof("PATH=") - 1);
  }
  return kDefaultPath;
}

// Where the file may be. An empty part of a path is the working directory.
std::vector<std::string> candidates(const std::string& file,
                                    const std::vector<std::string>& environment) {
  if (file.empty() || file.find('/') != std::string::npos) return {file};
  std::vector<std::string> files;
  for (const std::string_view directory : base::split(path_of(environment), ':')) {
    files.push_back(directory.empty() ? file : concat(directory, "/", file));
  }
  return files;
}

template <typename Pointer>
std::vector<Pointer> c_strings(const std::vector<std::string>& texts, size_t in_front) {
  std::vector<Pointer> pointers(in_front);
  for (const auto& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

}  // namespace

base::Result<pid_t> start_process(const Command& command, const ProcessOptions& options) {
  const std::string value = command.value.value_or("");
  const std::vector<std::string> arguments =
      command.shell ? std::vector<std::string>{"sh", "-c", value} : command.arguments;
  const std::vector<std::string> files =
      command.shell ? std::vector<std::string>{kShell} : candidates(value, options.environment);
  const auto file_pointers = c_strings<const char*>(files, 0);
  auto argv = c_strings<const char*>(arguments, 1);
  if (arguments.empty()) argv.push_back(nullptr);  // so that a script has a place for its name
  const auto environment = c_strings<char*>(options.environment, 0);
  base::Fd opened;
  if (options.stdin_path != nullptr) {
    opened = base::Fd(open(options.stdin_path, O_RDONLY | O_CLOEXEC));
    if (!opened) return base::fail_errno(concat("open '", options.stdin_path, "'"));
  }
  const User user = options.user != nullptr ? *options.user : User();
  Start start{.candidates = file_pointers.data(),
              .argv = argv.data(),
              .environment = environment.data(),
              .stdin_fd = opened ? opened.get() : STDIN_FILENO,
              .stdout_fd = options.stdout_fd,
              .change_user = options.user != nullptr,
              .uid = user.uid,
              .gid = user.gid,
              .groups = user.groups.data(),
              .group_count = user.groups.size(),
              .foreground = options.foreground};
  // In the background of its own terminal, whose settings can forbid it to write there.
  if (options.foreground) signal(SIGTTOU, SIG_IGN);
  base::CloneRequest request;
  request.run = become_program;
  request.argument = &start;
  base::Cloned child;
  const int code = base::clone_vfork(request, &child);
  if (code < 0) return base::fail_errno("Failed to start a process", -code);
  const base::Fd pidfd(child.pidfd);
  if (start.failed_errno == 0) return child.pid;
  while (waitpid(child.pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return base::fail_errno(concat("Failed to execute '", command.shell ? kShell : value, "'"),
                          start.failed_errno);
}

std::vector<std::string> make_environment(const std::vector<Command::Variable>& variables) {
  std::vector<std::string> environment;
  const auto put = [&](std::string variable) {
    const auto same = std::ranges::find(environment, name_of(variable), name_of);
    if (same == environment.end()) {
      environment.push_back(std::move(variable));
    } else {
      *same = std::move(variable);
    }
  };
  for (char** variable = environ; *variable != nullptr; ++variable) put(*variable);
  for (const auto& [name, value] : variables) put(concat(name, "=", value));
  return environment;
}

}  // namespace executors
