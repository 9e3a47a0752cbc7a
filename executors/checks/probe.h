// One run of a check. Each is cancelled by destroying the task, which also kills what it has
// started.
#pragma once

#include <cstdint>
#include <string>

#include "base/task.h"
#include "executors/checks/verdict.h"
#include "executors/events.h"
#include "executors/reaper.h"
#include "executors/user.h"

namespace executors {

// What a check uses; both outlive it.
struct ProbeContext {
  Reaper& reaper;
  const User* user;  // whom its processes run as; nullptr: us
};

// Does what the probe says and waits for its result, however long that takes. `probe` must outlive
// the task.
base::Task<ProbeResult> run_probe(const Probe& probe, ProbeContext context);

// Runs a command with our environment and the command's, its output on our stderr. A signal that
// ended it counts as exit code 128 + its number, as in a shell.
base::Task<ProbeResult> run_command_probe(const Command& command, ProbeContext context);

// Connects to 127.0.0.1, whatever the protocol: so does Apache Mesos.
base::Task<ProbeResult> run_tcp_probe(uint16_t port);

// Asks for a page on this host and follows redirections. Plain HTTP is spoken here; what needs TLS
// or the name of a host is left to the program `curl`.
base::Task<ProbeResult> run_http_probe(std::string url, ProbeContext context);

// "http://127.0.0.1:80/path"
std::string probe_url(const Probe& probe);

}  // namespace executors
