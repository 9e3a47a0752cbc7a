// All containers of this agent: what operators and executors ask of them, by id.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/own_frame.h"
#include "base/result.h"
#include "base/scope.h"
#include "base/sync.h"
#include "base/task.h"
#include "containerizer/container.h"
#include "containerizer/termination_records.h"

namespace containerizer {

struct LaunchParameters {
  ContainerId id;
  ContainerConfig::Class container_class = ContainerConfig::DEFAULT;
  mesos::v1::CommandInfo command;
  std::optional<mesos::v1::ContainerInfo> container;
  Allocation allocation;
  // The sandbox of a root that is no standalone container (see Sandbox::create).
  std::optional<std::string> directory;
  // Keeps the pid elsewhere too; empty: nobody does.
  Container::ForkedHook forked;
};

class Containerizer {
 public:
  explicit Containerizer(Services services);

  // Takes up what an earlier run of the agent has left: running containers are known again, those
  // that ended meanwhile get their exit status, sessions and half-launched containers are cleaned
  // up, in the background. To be called once, before anything else.
  base::Status recover();

  // Launches a container and waits until its command is about to be executed. kAlreadyExists: the
  // id is in use (launching and being destroyed included), and nothing has happened. Any other
  // error: nothing is left of it. If the awaiting task is cancelled, so is the launch.
  base::Task<base::Status> launch(LaunchParameters parameters);

  // Waits for the container's end. Known for a container that has ended as well, until it is
  // removed or forgotten. kNotFound: there is no such container, nor was there as far as is known.
  // Any other error: the container has ended, but something of it could not be cleaned up.
  base::Task<base::Result<ContainerTermination>> wait(ContainerId id);

  // Sends a signal to the container's command, as Container::kill. kNotFound: it is not running.
  base::Status kill(const ContainerId& id, int signal);

  // Gives a running root other resources, limits and volumes. kNotFound: it is not there;
  // kConflict: it does not run yet. Other errors: some of it could not be set.
  base::Status update(const ContainerId& id, const Allocation& allocation);

  // Asks for the end of all containers and waits until they are gone.
  base::Task<void> destroy_all();

  // Deletes what is left of a container that has ended: its termination and its sandbox.
  base::Task<base::Status> remove(ContainerId id);

  // Where the container's switchboard is reached (see ioswitchboard/client.h). kNotFound with text
  // if there is no such container; another error if it has no switchboard.
  base::Result<std::string> find_switchboard(const ContainerId& id) const;

  // The container, if it is there (launching and being destroyed included).
  std::shared_ptr<Container> find(const ContainerId& id) const;

  // All of them, parents before children.
  const std::map<ContainerId, std::shared_ptr<Container>>& containers() const {
    return containers_;
  }

  const fetcher::Fetcher& fetcher() const { return *services_.fetcher; }

  // Containers whose clean-up failed, since the start.
  uint64_t destroy_errors() const { return destroy_errors_; }

 private:
  // Lives with the container, then takes it out of the map.
  base::Task<void> run(std::shared_ptr<Container> container);
  OWN_FRAME base::Task<void> forget_launch(const Container& container);
  base::Status check_free(const ContainerId& id) const;
  void discard_sandbox(const ContainerConfig& config, SandboxCollector::Age age);
  std::shared_ptr<Container> add(const ContainerId& id, ContainerConfig config,
                                 Container::ForkedHook forked = {});

  // The steps of recover().
  void recover_below(const std::string& directory, const std::optional<ContainerId>& parent);
  void recover_container(const ContainerId& id);
  void find_orphans();
  base::Task<void> finish_removals();

  base::Task<void> forget_expired();

  // Deletes what is left of a container on disk, at the present moment nothing that is in use: its
  // records and, with `sandbox`, its sandbox. Goes on if the awaiting task is cancelled.
  base::Task<base::Status> erase(ContainerId id, bool sandbox);
  using Erased = base::OneShot<base::Status>;
  base::Task<void> erase_files(ContainerId id, bool sandbox, std::shared_ptr<Erased> done);

  // Waits until nothing of that id is left of a launch that a crash has cut off.
  OWN_FRAME base::Task<void> await_undone(ContainerId id);

  // Waits until nothing of that id is being deleted.
  base::Task<void> await_erased(ContainerId id);

  Services services_;
  TerminationRecords ended_;
  base::Event root_ended_;  // since forget_expired() looked last
  std::map<ContainerId, std::shared_ptr<Container>> containers_;
  std::map<ContainerId, std::shared_ptr<Erased>> erasing_;
  uint64_t destroy_errors_ = 0;
  base::Scope lives_;  // last: ends before what its tasks use
};

}  // namespace containerizer
