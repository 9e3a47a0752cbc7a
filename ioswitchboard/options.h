// How the agent starts a switchboard: the descriptors that the process inherits and its flags. Both
// sides, ours, are in this repository, so this is an internal form.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace ioswitchboard {

// The inherited descriptors. 0 is /dev/null; 1 and 2 are the sandbox's files for the container's
// stdout and stderr, open for appending.
enum InheritedFd : int {
  kSandboxStdoutFd = 1,
  kSandboxStderrFd = 2,
  kListenFd = 3,  // a unix socket that listens already
  kStdinFd = 4,   // write end of the container's stdin; with a terminal its master, for everything
  kStdoutFd = 5,  // read end of the container's stdout; not with a terminal
  kStderrFd = 6,  // read end of the container's stderr; not with a terminal
};

struct ServerOptions {
  // Where the socket and the pid file are.
  std::string directory;
  // The container has a terminal.
  bool tty = false;
  // Nothing is read from the container before somebody reads the output: a session.
  bool wait_for_connection = false;
  // Time between two heartbeats to readers of the output.
  std::chrono::nanoseconds heartbeat_interval = std::chrono::seconds(30);
  // How much of the latest output is kept for readers that come late.
  base::Bytes replay_size{0};
  // How long a reader may take nothing while it holds up others.
  std::chrono::nanoseconds stall_timeout = std::chrono::seconds(30);
};

// The arguments after the program's name. parse_options reads them back; kInvalid for any that it
// does not know.
std::vector<std::string> print_options(const ServerOptions& options);
base::Result<ServerOptions> parse_options(std::span<const char* const> arguments);

}  // namespace ioswitchboard
