#include "ioswitchboard/launch.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/process.h"
#include "base/spawn.h"
#include "base/stream.h"
#include "base/strings.h"
#include "ioswitchboard/attach.h"

namespace ioswitchboard {

namespace {

using base::Fd;

// Attaching clients that wait to be accepted.
constexpr int kBacklog = 1024;

// The switchboard's directory; deleted again unless it is kept.
class Directory {
 public:
  static base::Result<Directory> make(const std::string& path) {
    if (mkdir(path.c_str(), 0700) < 0) {
      base::Error error = base::Error::from_errno(base::concat("mkdir '", path, "'"));
      if (error.code == EEXIST) error.kind = base::ErrorKind::kAlreadyExists;
      return base::fail(std::move(error));
    }
    Directory directory;
    directory.path_ = path;
    directory.fd_ = Fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!directory.fd_) return base::fail_errno(base::concat("open '", path, "'"));
    return directory;
  }

  Directory(Directory&& other) noexcept
      : path_(std::exchange(other.path_, {})), fd_(std::move(other.fd_)) {}
  Directory& operator=(Directory&&) = delete;
  ~Directory() {
    if (!path_.empty()) [[maybe_unused]]
      const auto removed = base::remove_tree(path_);
  }

  // A socket's path has at most 107 bytes, a container's directory more; so it is bound by way of
  // the directory's descriptor.
  base::Result<Fd> listen() const {
    TRY(Fd fd,
        base::listen_unix(base::concat("/proc/self/fd/", fd_.get(), "/", kSocketName), kBacklog));
    if (fchmodat(fd_.get(), std::string(kSocketName).c_str(), 0600, 0) < 0) {
      return base::fail_errno(base::concat("chmod '", path_, "/", kSocketName, "'"));
    }
    return fd;
  }

  void keep() { path_.clear(); }

 private:
  Directory() = default;

  std::string path_;
  Fd fd_;
};

// The sandbox belongs to the container's user, who may have put anything there, a nested
// container's even while this runs: only a regular file of one name is taken.
base::Result<Fd> open_output_file(const std::string& path, const SwitchboardOptions& options) {
  const auto fail = [&path](std::string_view call) {
    return base::fail_errno(base::concat(call, " '", path, "'"));
  };
  // O_NONBLOCK: the open of a fifo must not wait for its reader.
  Fd fd(open(path.c_str(),
             O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0644));
  if (!fd) return fail("open");
  struct stat info{};
  if (fstat(fd.get(), &info) < 0) return fail("stat");
  if (!S_ISREG(info.st_mode) || info.st_nlink > 1) {
    return base::fail(base::concat("'", path, "' is not a regular file with one name"));
  }
  if ((options.uid || options.gid) && fchown(fd.get(), options.uid.value_or(static_cast<uid_t>(-1)),
                                             options.gid.value_or(static_cast<gid_t>(-1))) < 0) {
    return fail("chown");
  }
  return fd;
}

// The two sides of the container's stdio. The switchboard's stdout and stderr are empty with a
// terminal, whose master is for everything.
struct Stdio {
  Fd server_stdin;
  Fd server_stdout;
  Fd server_stderr;
  Fd container_stdin;
  Fd container_stdout;
  Fd container_stderr;
  std::string tty_slave_path;
};

base::Result<Stdio> make_pipes() {
  TRY(base::Pipe in, base::make_pipe());
  TRY(base::Pipe out, base::make_pipe());
  TRY(base::Pipe err, base::make_pipe());
  return Stdio{std::move(in.write_end), std::move(out.read_end),  std::move(err.read_end),
               std::move(in.read_end),  std::move(out.write_end), std::move(err.write_end)};
}

base::Result<Stdio> make_terminal(const SwitchboardOptions& options) {
  Stdio stdio;
  const Fd& master = stdio.server_stdin = Fd(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master) return base::fail_errno("posix_openpt");
  if (unlockpt(master.get()) < 0) return base::fail_errno("unlockpt");
  char path[64];
  if (const int code = ptsname_r(master.get(), path, sizeof(path)); code != 0) {
    return base::fail_errno("ptsname_r", code);
  }
  stdio.tty_slave_path = path;
  stdio.container_stdin = Fd(ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  const int slave = stdio.container_stdin.get();
  if (slave < 0) return base::fail_errno(base::concat("open '", path, "'"));
  // Its group is that of all terminals, by which write(1) and its kin reach it.
  if (options.uid && fchown(slave, *options.uid, static_cast<gid_t>(-1)) < 0) {
    return base::fail_errno(base::concat("chown '", path, "'"));
  }
  if (options.window_size) {
    winsize size{};
    size.ws_row = static_cast<unsigned short>(std::min(options.window_size->rows, 0xffffu));
    size.ws_col = static_cast<unsigned short>(std::min(options.window_size->columns, 0xffffu));
    if (ioctl(slave, TIOCSWINSZ, &size) < 0) return base::fail_errno("ioctl TIOCSWINSZ");
  }
  for (Fd* fd : {&stdio.container_stdout, &stdio.container_stderr}) {
    *fd = Fd(fcntl(slave, F_DUPFD_CLOEXEC, 0));
    if (!*fd) return base::fail_errno("dup");
  }
  return stdio;
}

base::Result<SwitchboardProcess> spawn_checkpointed(const std::string& program,
                                                    const ServerOptions& options,
                                                    std::vector<std::pair<int, int>> fds) {
  base::SpawnOptions spawn;
  spawn.path = program;
  spawn.argv = print_options(options);
  spawn.argv.insert(spawn.argv.begin(), program);
  spawn.fds = std::move(fds);
  spawn.new_session = true;
  // The agent may send it before the child's first instruction, and by default it would kill it
  // with all the output that is in the pipes.
  spawn.blocked_signals = {SIGTERM};
  TRY(const pid_t pid, base::spawn_process(spawn));
  auto pidfd = base::open_pidfd(pid);
  base::Status checkpointed;
  if (pidfd) checkpointed = write_pid_file(options.directory, pid);
  if (pidfd && checkpointed) return SwitchboardProcess{pid, *std::move(pidfd)};
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  return base::fail(pidfd ? std::move(checkpointed).error() : std::move(pidfd).error());
}

}  // namespace

base::Result<Switchboard> start_switchboard(const SwitchboardOptions& options) {
  TRY(const Fd sandbox_stdout, open_output_file(options.stdout_path, options));
  TRY(const Fd sandbox_stderr, open_output_file(options.stderr_path, options));
  TRY(Stdio stdio, options.server.tty ? make_terminal(options) : make_pipes());
  TRY(Directory directory, Directory::make(options.server.directory));
  TRY(const Fd listening, directory.listen());
  std::vector<std::pair<int, int>> fds = {{sandbox_stdout.get(), kSandboxStdoutFd},
                                          {sandbox_stderr.get(), kSandboxStderrFd},
                                          {listening.get(), kListenFd},
                                          {stdio.server_stdin.get(), kStdinFd}};
  if (!options.server.tty) {
    fds.emplace_back(stdio.server_stdout.get(), kStdoutFd);
    fds.emplace_back(stdio.server_stderr.get(), kStderrFd);
  }
  TRY(SwitchboardProcess process,
      spawn_checkpointed(options.program, options.server, std::move(fds)));
  directory.keep();
  return Switchboard{std::move(process), std::move(stdio.container_stdin),
                     std::move(stdio.container_stdout), std::move(stdio.container_stderr),
                     std::move(stdio.tty_slave_path)};
}

}  // namespace ioswitchboard
