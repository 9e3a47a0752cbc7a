// One container, from its launch to its end.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/own_frame.h"
#include "base/result.h"
#include "base/sync.h"
#include "base/task.h"
#include "containerizer/allocation.h"
#include "containerizer/command.h"
#include "containerizer/launcher.h"
#include "containerizer/options.h"
#include "containerizer/paths.h"
#include "containerizer/sandbox.h"
#include "containerizer/sandbox_collector.h"
#include "containerizer/statistics.h"
#include "containerizer/status_file.h"
#include "ioswitchboard/launch.h"
#include "ioswitchboard/pid_file.h"
#include "isolators/isolator.h"

namespace containerizer {

using isolators::ContainerTermination;
using isolators::Isolator;

// What all containers of an agent use.
struct Services {
  Options options;
  RuntimePaths paths;
  std::unique_ptr<Launcher> launcher;
  std::vector<std::unique_ptr<Isolator>> isolators;  // in the order of their prepare()
  std::unique_ptr<fetcher::Fetcher> fetcher = std::make_unique<fetcher::Fetcher>(options.fetcher);
  // Of the sandboxes of standalone and nested containers; none: they stay until they are removed.
  SandboxCollector* sandbox_collector = nullptr;
};

// The container's side of its standard streams.
struct StandardStreams {
  base::Fd input;
  base::Fd output;
  base::Fd errors;
};

class Container : public std::enable_shared_from_this<Container> {
 public:
  enum class State { kStarting, kRunning, kDestroying };

  // Called with the pid of a container's process when it is there, but waits: before this agent
  // takes the container for its own, and long before anything of the user's runs. An error fails
  // the launch with its text.
  using ForkedHook = std::function<base::Status(pid_t)>;

  // A container to be launched; `parent` is set for a nested one.
  Container(Services& services, ContainerId id, ContainerConfig config,
            std::shared_ptr<Container> parent, ForkedHook forked = {});
  Container(const Container&) = delete;
  Container& operator=(const Container&) = delete;
  ~Container();

  // Takes up a container of an earlier run of the agent, from its runtime directory. To be called
  // before live(), which then goes on where it had been.
  void recover();

  // The container's whole life. Ends when nothing is left of it but its directories; an error says
  // what could not be cleaned up. Must not be cancelled but by the end of the agent (the container
  // then lives on).
  base::Task<base::Result<ContainerTermination>> live();

  // Tells everybody who waits: after live(), by the owner, when the id is free again.
  void end(base::Result<ContainerTermination> termination);

  // Asks for its end; returns at once. The first request counts. What `cause` says becomes part of
  // the termination, and that of the children.
  void request_destroy(ContainerTermination cause = {});

  // Other resources, limits and volumes, for a root. kConflict: it does not run yet.
  base::Status update(const Allocation& allocation);

  // Sends a signal to the command. Before it runs, and for SIGKILL, this ends the container.
  base::Status kill(int signal);

  const ContainerId& id() const { return id_; }
  // As it is checkpointed, but without the command and its environment once it runs: the
  // checkpoint has them for the few who ask.
  const ContainerConfig& config() const { return config_; }
  State state() const { return state_; }
  pid_t pid() const { return process_.pid; }
  int pidfd() const { return pidfd_->get(); }
  bool is_attachable() const { return config_.attachable(); }

  // Set when the launch has succeeded (the command is about to be executed) or failed.
  base::OneShot<base::Status>& launched() { return launched_; }

  // Set by end().
  base::OneShot<base::Result<ContainerTermination>>& terminated() { return terminated_; }

  // Whether the command never ran, because the launch failed or was given up.
  bool never_started() const { return never_started_; }

  // Whether it is what a killed agent was just launching, now being undone.
  bool is_cut_off() const { return recovered_ && never_started_; }

  // Whether what is in the runtime directory is this container's, not yet an earlier one's.
  bool has_runtime_directory() const { return has_runtime_directory_; }

  mesos::v1::ContainerStatus status() const;
  // Measures what it uses, when called; on any thread, and also after the container's end.
  StatisticsReader usage_reader() const;

 private:
  // The steps of live().
  OWN_FRAME base::Task<base::Status> start();
  base::Task<base::Status> start_in(const Sandbox& sandbox);
  OWN_FRAME base::Task<void> wait_for_end();
  OWN_FRAME base::Task<base::Result<ContainerTermination>> wind_down();

  // The steps of start().
  base::Task<base::Status> await_parent();
  base::Task<base::Status> resolve_user();
  base::Status complete_config();
  base::Result<mesosagent::internal::ContainerLaunchInfo> launch_info_for_sessions() const;
  void forget_command();
  base::Status make_runtime_directory();
  void restore_runtime_directory();
  base::Result<Sandbox> make_sandbox();
  base::Error sandbox_error(base::Error error) const;
  base::Task<base::Result<isolators::LaunchSpec>> prepare();
  base::Result<StandardStreams> open_streams(const Sandbox& sandbox);
  base::Result<StandardStreams> open_switchboard(const Sandbox& sandbox);
  base::Status start_process(const isolators::LaunchSpec& spec, const StandardStreams& streams);
  base::Task<base::Status> fetch(const Sandbox& sandbox);
  base::Result<int> adopt_fetcher(pid_t pid);
  base::Task<base::Status> release(const isolators::LaunchSpec& spec);

  // The causes of the end that wait_for_end() waits for.
  base::Task<void> switchboard_death();
  std::vector<base::Task<isolators::Limitation>> watches();

  // The steps of wind_down().
  base::Task<void> finish_fetch();
  base::Task<void> destroy_children();
  base::Task<base::Status> free_everything();
  base::Task<base::Status> free_once();
  base::Task<void> finish_switchboard();
  base::Task<void> end_switchboard(int pidfd);
  base::Task<base::Status> clean_up();
  ContainerTermination make_termination();
  void set_cause(const isolators::Limitation& limitation);

  void take_pidfd(base::Fd pidfd);
  bool is_standalone() const;
  bool applies(const Isolator& isolator) const;
  std::string file(std::string_view name) const { return services_.paths.file(id_, name); }

  Services& services_;
  const ContainerId id_;
  ContainerConfig config_;
  std::shared_ptr<Container> parent_;
  const ForkedHook forked_;
  std::set<Container*> children_;
  std::optional<isolators::Credentials> owner_;

  State state_ = State::kStarting;
  const char* step_ = "launch";  // of start(), for messages
  bool recovered_ = false;
  bool never_started_ = true;
  bool has_runtime_directory_ = false;
  std::string
      earlier_;  // where the directory of an earlier container of this id has been set aside
  ParkedProcess process_;  // but for its pidfd, which is below
  std::shared_ptr<const base::Fd> pidfd_ = std::make_shared<const base::Fd>();
  base::Fd fetcher_;  // the process that fetches for it
  std::optional<ioswitchboard::SwitchboardProcess> switchboard_;

  base::OneShot<base::Status> launched_;
  base::Event destroy_requested_;
  ContainerTermination cause_;
  RecordedStatus recorded_;
  base::OneShot<base::Result<ContainerTermination>> terminated_;
};

}  // namespace containerizer
