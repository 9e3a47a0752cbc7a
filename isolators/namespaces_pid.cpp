#include "isolators/namespaces_pid.h"

#include <sched.h>
#include <sys/mount.h>

namespace isolators {

base::Task<base::Status> NamespacesPidIsolator::prepare(const ContainerId& id,
                                                        const ContainerConfig& config,
                                                        LaunchSpec* spec) {
  // A child's namespace lies within its parent's; so does a session, which makes none of its own.
  if (id.has_parent()) spec->enter_namespaces |= CLONE_NEWPID;
  if (is_debug(config)) co_return {};

  if (config.container_info().linux_info().share_pid_namespace()) {
    if (!id.has_parent()) {
      if (disallow_sharing_) {
        co_return base::fail(base::ErrorKind::kInvalid,
                             "Sharing agent pid namespace with top level container is not allowed");
      }
      co_return {};
    }
  } else {
    spec->clone_namespaces |= CLONE_NEWPID;
  }
  // A nested container that shares its parent's namespace starts from the agent's mounts, so it too
  // needs a /proc that shows the namespace it is in.
  spec->mounts.push_back({.source = "proc",
                          .target = "/proc",
                          .type = "proc",
                          .options = "",
                          .flags = MS_NOSUID | MS_NODEV | MS_NOEXEC});
  co_return {};
}

}  // namespace isolators
