// mesos-fetcher: fetches what MESOS_FETCHER_INFO says (proto/internal/fetcher.proto) into a
// sandbox, and exits with 0 if all of it is there.
//
//   --control_fd=N   a socket whose other end the agent has. If fetching fails, the reason is
//                    written to it; if the other end is closed, everything here ends.
//   --sandbox_fd=N   the sandbox; otherwise it is opened by its path
//   --probe          fetches nothing and writes the items' sizes to the socket (stdout without one)
//
// It is two processes. The first waits for the second, or for the agent to be gone, and then ends
// the second, which does the work as the user of the container. With the rights to it, the second
// is the init of a pid namespace, so that nothing that it starts outlives it.
#include <fcntl.h>
#include <grp.h>
#include <locale.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/stream.h"
#include "base/strings.h"
#include "fetcher/download.h"
#include "fetcher/work.h"

namespace {

using base::concat;
using base::Fd;
using base::Status;
using fetcher::FetcherInfo;

struct Options {
  int control_fd = -1;
  int sandbox_fd = -1;
  bool probe = false;
};

base::Result<Options> parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const std::string_view name = word.substr(0, word.find('='));
    int* fd = nullptr;
    if (name == "--control_fd") fd = &options.control_fd;
    if (name == "--sandbox_fd") fd = &options.sandbox_fd;
    const auto number = base::parse_number<int>(
        name.size() < word.size() ? word.substr(name.size() + 1) : std::string_view());
    if (word == "--probe") {
      options.probe = true;
    } else if (fd != nullptr && number && *number >= 0) {
      *fd = *number;
    } else {
      return base::fail(concat("'", word, "' is not understood"));
    }
  }
  for (const int fd : {options.control_fd, options.sandbox_fd}) {
    if (fd >= 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
      return base::fail_errno(concat("descriptor ", fd));
    }
  }
  return options;
}

// Past what sanitizers do at the end: they look for leaks by a process of their own, and after
// unshare() and in a pid namespace without a /proc of its own that fails.
[[noreturn]] void end(int code) {
  std::fflush(nullptr);
  while (true) syscall(SYS_exit_group, code);
}

// --- The process that works ---

Status become_user(const std::string& name) {
  std::vector<char> buffer(16384);
  passwd entry{};
  passwd* found = nullptr;
  const int code = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (code != 0) return base::fail_errno(concat("getpwnam '", name, "'"), code);
  if (found == nullptr) return base::fail(concat("No such user '", name, "'"));
  if (entry.pw_uid == geteuid()) return {};
  if (initgroups(entry.pw_name, entry.pw_gid) < 0) return base::fail_errno("initgroups");
  if (setresgid(entry.pw_gid, entry.pw_gid, entry.pw_gid) < 0) {
    return base::fail_errno("setresgid");
  }
  if (setresuid(entry.pw_uid, entry.pw_uid, entry.pw_uid) < 0) {
    return base::fail_errno("setresuid");
  }
  return {};
}

// Dies with the process that `guard` is a pipe to. To be called as the user: changing credentials
// takes it back.
void die_with_parent(const Fd& guard) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd already{.fd = guard.get(), .events = 0, .revents = 0};
  if (poll(&already, 1, 0) > 0) _exit(EXIT_FAILURE);
}

base::Result<Fd> enter_sandbox(const Options& options, const FetcherInfo& info) {
  Fd sandbox(options.sandbox_fd >= 0
                 ? options.sandbox_fd
                 : open(info.sandbox_directory().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!sandbox || fchdir(sandbox.get()) < 0) {
    return base::fail_errno(concat("Failed to enter '", info.sandbox_directory(), "'"));
  }
  return sandbox;
}

void report(const Options& options, std::string_view text) {
  if (options.control_fd < 0) {
    if (options.probe) std::fwrite(text.data(), 1, text.size(), stdout);
    return;
  }
  while (!text.empty()) {
    const ssize_t n = send(options.control_fd, text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) return;
    if (n > 0) text.remove_prefix(static_cast<size_t>(n));
  }
}

Status work(const Options& options, const Fd& guard) {
  TRY(const FetcherInfo info, fetcher::read_fetcher_info(getenv("MESOS_FETCHER_INFO")));
  if (info.has_user()) TRY_VOID(become_user(info.user()));
  die_with_parent(guard);
  TRY(const Fd sandbox, enter_sandbox(options, info));
  TRY_VOID(fetcher::prepare_downloads());
  if (!options.probe) return fetcher::fetch_all(info, sandbox);
  report(options, fetcher::probe_all(info));
  return {};
}

[[noreturn]] void run_worker(const Options& options, const Fd& guard) {
  const Status done = work(options, guard);
  if (!done) {
    std::fprintf(stderr, "%s\n", done.error().message.c_str());
    report(options, done.error().message);
  }
  end(done ? EXIT_SUCCESS : EXIT_FAILURE);
}

// --- The process that waits ---

int exit_code(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int wait_for_worker(pid_t pid, int control_fd) {
  const Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  // Nothing is read from the socket here: poll tells of its end without being asked to.
  pollfd fds[] = {{.fd = pidfd.get(), .events = POLLIN, .revents = 0},
                  {.fd = control_fd, .events = 0, .revents = 0}};
  while (pidfd && poll(fds, 2, -1) < 0 && errno == EINTR) {
  }
  if (!pidfd || fds[0].revents == 0) kill(pid, SIGKILL);
  // The end of a pid namespace's init comes when all in it have ended.
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return EXIT_FAILURE;
  }
  return exit_code(status);
}

int fail_start(const base::Error& error) {
  std::fprintf(stderr, "mesos-fetcher: %s\n", error.message.c_str());
  return EXIT_FAILURE;
}

}  // namespace

int main(int argc, char** argv) {
  auto options = parse_options(argc, argv);
  if (!options) return fail_start(options.error());
  // Archives have names in UTF-8.
  setlocale(LC_CTYPE, "C.UTF-8");
  umask(022);
  auto guard = base::make_pipe();
  if (!guard) return fail_start(guard.error());
  (void)unshare(CLONE_NEWPID);  // for the next child; without the rights to it, the pipe will do
  const pid_t pid = fork();
  if (pid < 0) return fail_start(base::Error::from_errno("fork"));
  if (pid == 0) {
    guard->write_end.reset();
    run_worker(*options, guard->read_end);
  }
  end(wait_for_worker(pid, options->control_fd));
}
