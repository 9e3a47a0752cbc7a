// filesystem/linux: a mount namespace for each container. Containers see the host's file system,
// and the persistent volumes of their root as mounts in its sandbox, which are nowhere else: not in
// the host's namespace, where they could be in the way of deleting the sandbox. Images and other
// volumes are refused with a sentence.
#pragma once

#include <chrono>
#include <map>
#include <memory>

#include "base/bounded_work.h"
#include "isolators/volume_isolator.h"

namespace isolators {

class FilesystemLinuxIsolator final : public VolumeIsolator {
 public:
  std::string_view name() const override { return "filesystem/linux"; }

  base::Task<base::Status> prepare(const ContainerId& id, const ContainerConfig& config,
                                   LaunchSpec* spec) override;
  void set_process(const ContainerId& id, const ContainerConfig& config,
                   const std::shared_ptr<const base::Fd>& pidfd) override;
  base::Task<base::Status> isolate(const ContainerId& id, pid_t pid) override;
  // What it may take is below, at kPatience.
  base::Status update(const ContainerId& id, const ContainerConfig& config) override;
  base::Task<base::Status> cleanup(const ContainerId& id) override;
  base::Status recover(const ContainerId& id, const ContainerConfig& config) override;

 private:
  using Clock = std::chrono::steady_clock;

  // Root in a container can put a file system that never answers where a volume is to come or to go
  // from, and the agent stands still while it mounts there. All that an isolate() or an update()
  // does in namespaces, those of nested containers included, takes no longer than this, and then
  // has failed (kTimeout), for which the container ends. What hangs is left behind
  // (base/bounded_work.h): nothing is mounted later, or it is unmounted at once; of what was to be
  // unmounted, at most that may be later; and at most the directories on the way to a volume are
  // made. For so long it keeps the namespace.
  static constexpr std::chrono::seconds kPatience{5};

  // A container that has a namespace of its own.
  struct Process {
    std::weak_ptr<const base::Fd> pidfd;  // the container's; none: it has ended
    bool is_detached = false;             // what is mounted in its namespace stays there
  };

  base::Status attach(const Passage& passage) override;
  base::Status detach(const Passage& passage) override;
  base::Status attach_inherited(const ContainerId& id);
  base::Status mount_in(Process& process, const Passage& passage) const;
  base::Status unmount_in(const Process& process, const Passage& passage, bool remove_target) const;
  base::Status run_in(const Process& process, base::BoundedWork work) const;

  std::map<ContainerId, Process> processes_;
  Clock::time_point deadline_;  // of the present isolate() or update()
};

}  // namespace isolators
