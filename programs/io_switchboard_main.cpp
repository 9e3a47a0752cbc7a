// mesos-io-switchboard: owns one container's stdin, stdout and stderr. Started by the agent with
// the descriptors and flags of ioswitchboard/options.h.
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "base/event_loop.h"
#include "base/scope.h"
#include "ioswitchboard/options.h"
#include "ioswitchboard/pid_file.h"
#include "ioswitchboard/server.h"

namespace {

base::Task<void> run(ioswitchboard::Server& server, base::EventLoop& loop) {
  co_await server.run();
  loop.stop();
}

}  // namespace

int main(int argc, char** argv) {
  auto options = ioswitchboard::parse_options({argv + 1, static_cast<size_t>(argc - 1)});
  if (!options) {
    const std::string text = "mesos-io-switchboard: " + options.error().message + "\n";
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, text.data(), text.size());
    return EXIT_FAILURE;
  }
  // The agent has started this process with SIGTERM blocked, so that none is missed.
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  // A sandbox file that has reached the limit is like a full disk, no reason to die.
  signal(SIGXFSZ, SIG_IGN);
  // The agent writes it too, unless it was killed before it could. If even the directory is gone,
  // so is the container, and nobody would ever end this process. A full disk is no such sign.
  const auto written = ioswitchboard::write_pid_file(options->directory, getpid());
  if (!written && written.error().kind == base::ErrorKind::kNotFound) return EXIT_FAILURE;
  // Keeps no file system busy.
  if (chdir("/") < 0) return EXIT_FAILURE;

  base::EventLoop loop;
  ioswitchboard::Server server(*options);
  base::Scope scope;
  scope.spawn(run(server, loop));
  loop.run();
  // Everything that was to be delivered has been: whatever is still connected is idle.
  _exit(EXIT_SUCCESS);
}
