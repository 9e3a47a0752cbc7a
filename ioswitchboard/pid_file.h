// The checkpoint of a switchboard's process: `pid` in its directory, "<pid> <start time>\n".
#pragma once

#include <sys/types.h>

#include <string>

#include "base/fd.h"
#include "base/result.h"

namespace ioswitchboard {

struct SwitchboardProcess {
  pid_t pid = -1;
  base::Fd pidfd;
};

// Both the agent and the process itself write it, with the same content: so it is there when the
// agent goes on, and it will be there if the agent dies before it has written it.
base::Status write_pid_file(const std::string& directory, pid_t pid);

// The process, if it still runs. kNotFound if it has ended, or was never started. The start time
// tells it from another process that has got its pid. If the pid file is missing or damaged, the
// process is looked for by its command line.
base::Result<SwitchboardProcess> find_switchboard(const std::string& directory);

}  // namespace ioswitchboard
