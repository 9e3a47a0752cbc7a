// Processes: hold on to one by pidfd, wait for its end.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "base/fd.h"
#include "base/result.h"
#include "base/task.h"

namespace base {

// A descriptor that names the process for good, whatever becomes of its pid. ESRCH is kNotFound.
Result<Fd> open_pidfd(pid_t pid);

// Waits until the process ends and gives its raw wait(2) status; nothing if it is not our child, or
// reaped already (so that its status is known elsewhere or lost). Reaps it if it is. `pidfd` is
// borrowed. Several may wait for a process; one of them gets the status.
Task<Result<std::optional<int>>> wait_for_exit(int pidfd);

// Whether it has ended, without waiting.
bool has_exited(int pidfd);

// kill(2) without the race on the pid. ESRCH is kNotFound.
Status send_signal(int pidfd, int signal);

// When the process started, in clock ticks since boot (field 22 of /proc/<pid>/stat): together with
// the pid and the boot it names a process for good, so it can be checkpointed. Also of a process
// that has ended and is not reaped. kNotFound if there is none; other errors say nothing about
// that.
Result<uint64_t> process_start_time(pid_t pid);

// How many more descriptors this process may open.
Result<size_t> spare_descriptors();

}  // namespace base
