// filesystem/linux: a mount namespace for each container. Containers see the host's file system,
// and the persistent volumes of their root as mounts in its sandbox, which are nowhere else: not in
// the host's namespace, where they could be in the way of deleting the sandbox. Images and other
// volumes are refused with a sentence.
#pragma once

#include <map>
#include <memory>

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
  base::Task<base::Status> cleanup(const ContainerId& id) override;
  base::Status recover(const ContainerId& id, const ContainerConfig& config) override;

 private:
  // A container that has a namespace of its own.
  struct Process {
    std::weak_ptr<const base::Fd> pidfd;  // the container's; none: it has ended
    bool is_detached = false;             // what is mounted in its namespace stays there
  };

  base::Status attach(const Passage& passage) override;
  base::Status detach(const Passage& passage) override;
  base::Status attach_inherited(const ContainerId& id);
  static base::Status mount_in(Process& process, const Passage& passage);
  static base::Status unmount_in(const Process& process, const Passage& passage,
                                 bool remove_target);

  std::map<ContainerId, Process> processes_;
};

}  // namespace isolators
