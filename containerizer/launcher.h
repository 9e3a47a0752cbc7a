// Starting and killing the processes of containers.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "base/task.h"
#include "isolators/container_id.h"
#include "isolators/launch_spec.h"

namespace containerizer {

using isolators::ContainerId;

// A container's init, started but waiting for its LaunchSpec. Dropping `control` before the spec
// is sent makes it exit.
struct ParkedProcess {
  pid_t pid = -1;
  base::Fd pidfd;
  base::Fd control;  // the write end of its pipe
};

struct LaunchRequest {
  ContainerId id;
  const isolators::LaunchSpec* spec = nullptr;
  // The container's standard streams and the file for its status; the caller keeps them.
  int stdin_fd = -1;
  int stdout_fd = -1;
  int stderr_fd = -1;
  int status_fd = -1;
  // Of the parent container, if the spec enters namespaces.
  int parent_pidfd = -1;
  // A cgroup to join besides the spec's; the launcher's own.
  int tracking_group = -1;
};

class Launcher {
 public:
  virtual ~Launcher() = default;

  // Starts the launch helper in the new namespaces, parked.
  virtual base::Result<ParkedProcess> start(const LaunchRequest& request) = 0;

  // Kills every process of the container, however fast it forks, and waits until they are dead.
  // `pidfd` is the container's init, if it is known. Fine if nothing is left.
  virtual base::Task<base::Status> kill_all(const ContainerId& id, int pidfd) = 0;

  // Forgets the container: removes what start() has made for it. After kill_all.
  virtual base::Status cleanup(const ContainerId& id) = 0;

  // Whether `pid` belongs to the container: a checkpointed pid may by now be somebody else's.
  virtual bool owns_process(const ContainerId& id, pid_t pid) = 0;

  // All containers of this agent that the launcher has something of, e.g. from an earlier run.
  // Children come before their parents.
  virtual std::vector<ContainerId> find_containers() = 0;
};

// The launch helper's program, sealed in memory: what runs in containers cannot overwrite the file
// through /proc/self/exe (CVE-2019-5736), and an upgrade on disk does not mix versions.
class HelperImage {
 public:
  static base::Result<HelperImage> load(const std::string& path);

  int fd() const { return fd_.get(); }

 private:
  explicit HelperImage(base::Fd fd) : fd_(std::move(fd)) {}

  base::Fd fd_;
};

// Namespaces and cgroups; needs root. Containers are tracked in the freezer hierarchy, below
// `cgroups_root`; other agents may use the same root, so each marks its containers with its name.
base::Result<std::unique_ptr<Launcher>> make_linux_launcher(HelperImage helper,
                                                            const std::string& cgroups_root,
                                                            std::string agent_name,
                                                            std::chrono::nanoseconds kill_timeout);

// Neither: a session per container, killed as process group and by descent. For where root or
// cgroups are lacking.
std::unique_ptr<Launcher> make_posix_launcher(HelperImage helper);

}  // namespace containerizer
