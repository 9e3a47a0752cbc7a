// A master that registers one agent and gives it command tasks, for measuring. It knows no more of
// the protocol than that takes; tests/integration/scripted_master.py is the thorough one.
#pragma once

#include <google/protobuf/message.h>

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "bench/samples.h"
#include "proto/mesos/internal/messages.pb.h"

namespace bench {

// What became of one task, as its scheduler sees it.
struct TaskTimes {
  Clock::time_point launched;
  std::optional<Clock::time_point> running;
  std::optional<Clock::time_point> ended;  // terminal, and acknowledged
  bool finished = false;                   // it ended well
};

// Single-threaded: it reads, answers and acknowledges only within serve_until().
class Cluster {
 public:
  static base::Result<Cluster> open();

  uint16_t port() const { return port_; }

  // Serves until `done`, which is asked after each message; an error when that takes too long.
  base::Status serve_until(const std::function<bool()>& done, std::string_view what);

  bool registered() const { return updates_of_agent_ > 0; }
  // How often the agent has said what it has: once after each registration.
  int registrations() const { return updates_of_agent_; }

  // Sends the task, a shell command.
  base::Status run_task(const std::string& id, const std::string& command);
  base::Status kill_task(const std::string& id);

  const std::map<std::string, TaskTimes>& tasks() const { return tasks_; }
  int running() const { return running_; }  // tasks that run
  int ended() const { return ended_; }      // of all ever

 private:
  struct Peer {
    base::Fd fd;
    std::string input;
  };

  explicit Cluster(base::Fd listener, uint16_t port);
  base::Status accept_peer();
  // False when the peer has closed it.
  base::Result<bool> receive(Peer& peer);
  base::Status handle(std::string_view head, const std::string& body);
  base::Status on_register(std::string_view head);
  base::Status on_reregister(std::string_view head, const std::string& body);
  base::Status on_update(const std::string& body);
  base::Status send(std::string_view name, const google::protobuf::Message& message);
  base::Status connect_agent(std::string_view head);

  base::Fd listener_;
  uint16_t port_;
  std::vector<Peer> peers_;
  base::Fd agent_;         // our own connection to it
  std::string agent_pid_;  // slave(1)@127.0.0.1:port
  mesos::v1::AgentID agent_id_;
  mesos::v1::FrameworkInfo framework_;
  std::map<std::string, TaskTimes> tasks_;
  int updates_of_agent_ = 0;
  int running_ = 0;
  int ended_ = 0;
};

}  // namespace bench
