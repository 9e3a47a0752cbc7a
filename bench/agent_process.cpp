#include "bench/agent_process.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/fd.h"
#include "base/files.h"
#include "base/strings.h"
#include "bench/http_client.h"
#include "bench/operator_calls.h"
#include "bench/samples.h"

namespace bench {

using base::concat;
using base::Fd;
using base::Result;
using base::Status;

namespace {

constexpr char kIsolation[] =
    "cgroups/cpu,cgroups/mem,cgroups/pids,namespaces/pid,filesystem/linux";

constexpr std::chrono::seconds kPatience{30};

// It can be taken before the agent listens on it; then the agent fails, and the run.
Result<uint16_t> find_free_port() {
  TRY(const Listener listener, listen_on_loopback());
  return listener.port;
}

Status ask_for_health(uint16_t port) {
  TRY(Client client, Client::connect(port));
  return perform(client, get_health());
}

}  // namespace

Result<AgentProcess> AgentProcess::start(AgentOptions options) {
  AgentProcess agent(std::move(options));
  TRY_VOID(base::make_directories(agent.options_.directory));
  TRY(agent.port_, find_free_port());
  TRY_VOID(agent.spawn());
  TRY_VOID(agent.await_health());
  return agent;
}

Status AgentProcess::spawn() {
  const std::string log_path = base::join_path(options_.directory, "agent.log");
  const Fd log(open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!log) return base::fail_errno(concat("open '", log_path, "'"));
  std::vector<std::string> argv = {options_.program,
                                   "--ip=127.0.0.1",
                                   concat("--port=", port_),
                                   concat("--work_dir=", options_.volatile_dir, "/work"),
                                   concat("--runtime_dir=", options_.volatile_dir, "/run"),
                                   concat("--cgroups_root=", options_.cgroups_root),
                                   concat("--isolation=", kIsolation)};
  argv.insert(argv.end(), options_.flags.begin(), options_.flags.end());
  TRY(const pid_t pid,
      start_program(argv, {{log.get(), STDOUT_FILENO}, {log.get(), STDERR_FILENO}}));
  process_ = Child(pid);
  return {};
}

Status AgentProcess::await_health() const {
  const auto deadline = Clock::now() + kPatience;
  while (true) {
    Status healthy = ask_for_health(port_);
    if (healthy || Clock::now() > deadline) return healthy;
    if (process_.has_ended()) return base::fail("The agent has ended");
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

Result<double> AgentProcess::restart() {
  process_.kill();
  const auto start = Clock::now();
  TRY_VOID(spawn());
  TRY_VOID(await_health());
  return milliseconds_since(start);
}

}  // namespace bench
