#include "executors/checks/command_probe.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "executors/checks/probe.h"
#include "executors/process.h"

namespace executors {

base::Task<ProbeResult> run_command_probe(const Command& command, ProbeContext context) {
  CO_TRY(const pid_t pid,
         start_process(command, {.environment = make_environment(command.environment),
                                 .stdin_path = "/dev/null",
                                 .stdout_fd = STDERR_FILENO,
                                 .user = context.user}));
  ProbeProcess process(context.reaper, pid);
  const int status = co_await process.end();
  if (WIFSIGNALED(status)) co_return 128 + WTERMSIG(status);
  co_return WEXITSTATUS(status);
}

}  // namespace executors
