// Starting what a CommandInfo names: tasks, and commands that check them.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"
#include "executors/events.h"
#include "executors/user.h"

namespace executors {

struct ProcessOptions {
  std::vector<std::string> environment;  // "NAME=value"
  const char* stdin_path = nullptr;      // opened as stdin; nullptr: ours
  int stdout_fd = 1;                     // of ours, to become stdout
  const User* user = nullptr;            // to become; nullptr: ours
  // Makes the process the foreground group of the terminal that is our stdin and stays in our
  // session; without, it gets a session of its own.
  bool foreground = false;
};

// Starts the command with our stdin, stderr and working directory and default signal handling. A
// file without a slash is looked for in the PATH of the new environment. An error has its errno:
// the program could not be executed.
base::Result<pid_t> start_process(const Command& command, const ProcessOptions& options);

// Our environment with the given variables put over it. Of several that have a name the last
// counts.
std::vector<std::string> make_environment(const std::vector<Command::Variable>& variables);

}  // namespace executors
