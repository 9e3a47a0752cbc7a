// The agent's membership in a cluster: finds the master, authenticates, registers, answers its
// pings, and notices when it is gone.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>

#include "agent/flags.h"
#include "agent/master/authenticatee.h"
#include "agent/master/credential.h"
#include "agent/master/detector.h"
#include "agent/state.h"
#include "base/result.h"
#include "base/scope.h"
#include "base/sync.h"
#include "base/task.h"
#include "libprocess/message.h"
#include "libprocess/receiver.h"
#include "libprocess/sender.h"
#include "libprocess/upid.h"
#include "proto/mesos/internal/messages.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// Where the agent stands with masters.
enum class LinkState {
  kRecovering,    // not started: what an earlier run has left is looked at
  kDisconnected,  // no master has accepted the agent, or it is not known whether it still does
  kRunning,       // registered
  kTerminating,   // shutting down, by order of a master or an operator; for good
};

std::string_view name_of(LinkState state);

// What the rest of the agent does for the link. All are called on the loop's thread, must not wait,
// and must not destroy the link. Those that are not set do nothing.
struct MasterHooks {
  // Adds to a first registration: checkpointed_resources.
  std::function<void(mesos::internal::RegisterSlaveMessage*)> fill_registration;

  // Adds to a registration of an agent that has an id: tasks, executor_infos, frameworks,
  // completed_frameworks, checkpointed_resources. Called anew for each try.
  std::function<void(mesos::internal::ReregisterSlaveMessage*)> fill_reregistration;

  // Adds operations, resource_providers and oversubscribed_resources to the update that follows
  // each registration; the first two are there already, empty.
  std::function<void(mesos::internal::UpdateSlaveMessage*)> fill_update;

  // A master has given the agent this id, its first. It is to be on disk when this returns; nothing
  // was sent under it yet. An error ends the agent.
  std::function<base::Status(const mesos::v1::AgentID&)> registered;

  // The link is kRunning from here on, and the update has been sent: what was held back can go out.
  std::function<void()> running;

  // A master has taken the agent back; called after running(). Its reconciliations are to be
  // answered.
  std::function<void(const mesos::internal::SlaveReregisteredMessage&)> reregistered;

  // The link is not kRunning any more, or a new try begins: what is sent reaches nobody.
  std::function<void()> disconnected;

  // The link is kTerminating: all frameworks are to be shut down, and then the process ends. What
  // they send meanwhile still goes to the master.
  std::function<void()> shut_down;

  // The agent cannot go on: a master refuses its credential, or gives it another id than its own.
  // Must be set. The process is to end with this error.
  std::function<void(base::Error)> failed;
};

class MasterLink {
 public:
  // What it uses and writes; must outlive it.
  struct Parts {
    mesos::v1::AgentInfo& info;  // sets `id`
    State& state;                // sets `registered` and `master_hostname`
    libprocess::Receiver& receiver;
    libprocess::Sender& sender;
  };

  struct Options {
    libprocess::Address advertised;  // where masters reach the agent
    std::optional<Credential> credential;
    std::chrono::nanoseconds registration_backoff_factor = std::chrono::seconds(1);
    std::chrono::nanoseconds authentication_backoff_factor = std::chrono::seconds(1);
    std::chrono::nanoseconds authentication_timeout_min = std::chrono::seconds(5);
    std::chrono::nanoseconds authentication_timeout_max = std::chrono::minutes(1);
  };

  MasterLink(Parts parts, Options options, std::unique_ptr<MasterDetector> detector,
             MasterHooks hooks);
  MasterLink(const MasterLink&) = delete;
  MasterLink& operator=(const MasterLink&) = delete;
  ~MasterLink();

  // Ends kRecovering and looks for a master. The agent must be listening: a master answers on a
  // connection of its own. Once.
  void start();

  LinkState state() const { return state_; }
  bool registered() const { return state_ == LinkState::kRunning; }
  const MasterDetector::Leader& master() const { return master_; }

  // The agent's process, slave(1), at the address that others are told.
  const libprocess::Upid& self() const { return self_; }
  // The process of the master that was detected; empty if there is none.
  const libprocess::Upid& master_pid() const { return master_pid_; }

  // The version of the agent's resources in this run: what launches must name.
  const mesos::v1::UUID& resource_version() const { return resource_version_; }

  // Sends a message to the master that the agent is registered with, under its type's full name.
  // False, and nothing is sent, if it is registered with none. While the agent is terminating it
  // still is.
  bool send(const google::protobuf::Message& message);

  // Sends UpdateSlaveMessage as after a registration: for whoever has changed what is in it.
  void send_update();

  // By order of an operator (SIGUSR1): has the master remove the agent, and shuts down.
  void unregister();

  // What masters send; agent/messages.h says when.
  void on_registered(const mesos::internal::SlaveRegisteredMessage& message);
  void on_reregistered(const mesos::internal::SlaveReregisteredMessage& message);
  void on_ping(const libprocess::Upid& from, const mesos::internal::PingSlaveMessage& message);
  void on_shutdown(const mesos::internal::ShutdownMessage& message);
  void on_authentication(const libprocess::Message& message);

 private:
  using Clock = std::chrono::steady_clock;

  base::Task<void> run();
  base::Task<base::Result<MasterDetector::Leader>> detect(MasterDetector::Leader previous);
  base::Status follow(MasterDetector::Leader leader);
  base::Task<void> attend();
  base::Task<void> join();
  base::Task<bool> authenticate();
  base::Task<void> keep_registering();
  base::Task<void> wait_for_silence();

  bool accept(const mesos::v1::AgentID& id, const mesos::internal::MasterSlaveConnection& terms);
  void enter_running();
  void send_registration();
  void link_master();
  void shut_down();
  void set_state(LinkState state);
  std::chrono::nanoseconds random_up_to(std::chrono::nanoseconds limit);

  Parts parts_;
  const Options options_;
  std::unique_ptr<MasterDetector> detector_;
  const MasterHooks hooks_;
  const libprocess::Upid self_;
  const mesos::v1::UUID resource_version_;

  LinkState state_ = LinkState::kRecovering;
  MasterDetector::Leader master_;
  libprocess::Upid master_pid_;
  bool asked_ = false;     // this master, since it was detected, to register the agent
  bool accepted_ = false;  // by this master
  std::chrono::nanoseconds ping_timeout_{};
  Clock::time_point last_ping_;
  std::unique_ptr<Authenticatee> authenticatee_;
  base::Event answered_;      // the registration was
  base::Event detect_again_;  // the master, even if it is the same one
  base::Event terminating_;
  std::mt19937_64 random_{std::random_device{}()};
  base::Scope scope_;  // last: its tasks end before what they use
};

}  // namespace agent
