// mesos-agent as a member of a cluster: what --master and the flags beside it make of it.
#pragma once

#include <memory>
#include <optional>

#include "agent/agent.h"
#include "agent/master/master_link.h"
#include "agent/messages.h"
#include "agent/tasks/tasks.h"
#include "base/event_loop.h"
#include "base/result.h"
#include "base/scope.h"
#include "programs/signal_handler.h"

namespace programs {

class Membership {
 public:
  // Makes what the agent needs to join --master, which must be given; agent.ip and
  // agent.info.port() must be those that masters are to use. Asks the resolver, so it blocks.
  // Errors name the flag that is wrong. `agent` and `loop` must outlive this.
  static base::Result<std::unique_ptr<Membership>> make(agent::Agent& agent, base::EventLoop& loop);
  ~Membership() { agent_.tasks = nullptr; }
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;

  // Takes up the frameworks, executors and tasks that an earlier run has checkpointed;
  // agent.containers must have recovered. Errors are for the user.
  base::Status recover();

  // Looks for the master, once the agent listens and executors have come back. From here on SIGUSR1
  // has the agent unregister and end, and the loop is stopped when the membership is over.
  void start();

  // In place of start(), for --recover=cleanup: ends when nothing is left of what recover() took
  // up. Executors are asked to end, when they come or by a message, and have their grace; the other
  // containers, and executors that have never connected, are destroyed. No master is looked for.
  base::Task<void> clean_up();

  // Stops the loop when what would not survive the agent has ended; at once if asked twice.
  void stop();

  // After the loop was stopped: why the agent must end with a failure, if it must.
  base::Status end() const;

 private:
  Membership(agent::Agent& agent, base::EventLoop& loop) : agent_(agent), loop_(loop) {}
  agent::MasterHooks make_hooks();
  base::Status check_reconfiguration();
  void fail(base::Error error);
  agent::TaskServices make_task_services();
  base::Task<void> finish_operations();
  base::Task<void> recover_and_join();
  base::Task<void> end_when_all_are_gone();
  base::Task<void> end_uncheckpointed();

  agent::Agent& agent_;
  base::EventLoop& loop_;
  std::optional<base::Error> failure_;
  bool unregistered_ = false;
  bool stopping_ = false;
  std::unique_ptr<agent::MasterLink> link_;
  std::unique_ptr<agent::Operations> operations_;
  std::unique_ptr<agent::Tasks> tasks_;  // its launches may wait for operations
  agent::RecoveredAgent recovered_;
  std::unique_ptr<agent::Messages> messages_;
  std::optional<SignalHandler> on_user_signal_;
  base::Scope scope_;  // last: its tasks end before what they use
};

}  // namespace programs
