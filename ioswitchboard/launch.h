// The agent's side of a switchboard's life: how one is started.
//
// It is ended by SIGTERM to its pidfd, which tells it that the container is over; then it delivers
// what is left and exits with 0 (base::wait_for_exit). It can be sent at any time after the start.
// A session's output is kept until its first reader has attached, so the agent should wait a while
// for that one before it says so.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "ioswitchboard/options.h"
#include "ioswitchboard/pid_file.h"

namespace ioswitchboard {

struct WindowSize {
  uint32_t rows = 0;
  uint32_t columns = 0;
};

struct SwitchboardOptions {
  // The path of mesos-io-switchboard.
  std::string program;
  // What the process is told. `server.directory` is made; its parent must exist, it must not.
  ServerOptions server;
  // With server.tty: applied before anything runs in the terminal.
  std::optional<WindowSize> window_size;
  // The sandbox's files: opened for appending, made if they do not exist.
  std::string stdout_path;
  std::string stderr_path;
  // The container's user, who is to own the sandbox's files and the terminal.
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
};

struct Switchboard {
  SwitchboardProcess process;
  // The container's descriptors 0, 1 and 2, all close-on-exec. As long as anybody but the container
  // holds them the switchboard cannot see that the container has closed them.
  base::Fd stdin_fd;
  base::Fd stdout_fd;
  base::Fd stderr_fd;
  // With a terminal: where the host's devpts has it.
  std::string tty_slave_path;
};

// Starts one. When this returns, attaching works: the socket listens already. On failure nothing is
// left but the sandbox's files; kAlreadyExists if the directory was there.
base::Result<Switchboard> start_switchboard(const SwitchboardOptions& options);

}  // namespace ioswitchboard
