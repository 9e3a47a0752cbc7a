// What the isolators of file systems have in common about persistent volumes: which container has
// which, what is to be added and taken away, and whom a volume's directory belongs to.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/fd.h"
#include "isolators/isolator.h"

namespace isolators {

using PersistentVolume = mesosagent::internal::PersistentVolume;

class VolumeIsolator : public Isolator {
 public:
  base::Status update(const ContainerId& id, const ContainerConfig& config) override;
  base::Task<base::Status> cleanup(const ContainerId& id) override;
  base::Status recover(const ContainerId& id, const ContainerConfig& config) override;

 protected:
  // A volume on its way into a sandbox or out of it.
  struct Passage {
    const ContainerId& id;  // a root
    const std::string& sandbox_path;
    int sandbox;  // O_PATH
    const PersistentVolume& volume;
    int directory;  // the volume's, O_PATH; -1 when it is taken away and not there any more
  };

  // Makes the volume appear. Fine if it does, but for being read-only when it is to be writable.
  virtual base::Status attach(const Passage& passage) = 0;
  // Makes it disappear. Fine if it has, or if something else is in its place, which stays.
  virtual base::Status detach(const Passage& passage) = 0;

  // Notes what a container is to have; attach_all() gives it.
  void expect(const ContainerId& id, const ContainerConfig& config);
  // The same for a new container: there may have been one of this id that could not be freed.
  void expect_anew(const ContainerId& id, const ContainerConfig& config);
  base::Status attach_all(const ContainerId& id);

  // Calls `f` for each volume that a root has now, up to the first failure, which is the result.
  base::Status for_each_attached(const ContainerId& id,
                                 const std::function<base::Status(const Passage&)>& f) const;

 private:
  struct Known {
    std::string sandbox;
    std::vector<PersistentVolume> wanted;
    std::vector<PersistentVolume> attached;
    bool is_unsure = false;  // some of these may not be
  };

  base::Status take_away(const ContainerId& id, Known& known, int sandbox);
  base::Status give(const ContainerId& id, Known& known, int sandbox);
  base::Status give_to_user(const ContainerId& id, const PersistentVolume& volume, int sandbox,
                            int directory) const;

  std::map<ContainerId, Known> known_;  // those that have volumes, or had
};

}  // namespace isolators
