// The agent that is measured: started with directories, a port and cgroups of its own.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "bench/child.h"

namespace bench {

struct AgentOptions {
  std::string program;
  std::string directory;                // its log goes here
  std::string volatile_dir;             // its work_dir and runtime_dir go below
  std::string cgroups_root;             // relative to each hierarchy's mount point
  std::vector<std::string> flags = {};  // more of them
};

class AgentProcess {
 public:
  // Starts it and waits until it is healthy.
  static base::Result<AgentProcess> start(AgentOptions options);

  uint16_t port() const { return port_; }
  pid_t pid() const { return process_.pid(); }

  // kill -9 and a new start, while its containers go on. Gives the milliseconds from the start of
  // the program to its first answer to GET_HEALTH.
  base::Result<double> restart();

 private:
  explicit AgentProcess(AgentOptions options) : options_(std::move(options)) {}
  base::Status spawn();
  base::Status await_health() const;

  AgentOptions options_;
  uint16_t port_ = 0;
  Child process_;
};

}  // namespace bench
