#include "isolators/filesystem_linux.h"

#include <sched.h>

namespace isolators {

base::Task<base::Status> FilesystemLinuxIsolator::prepare(const ContainerId&,
                                                          const ContainerConfig& config,
                                                          LaunchSpec* spec) {
  if (is_debug(config)) {
    if (config.container_info().volumes_size() > 0) {
      co_return base::fail(base::ErrorKind::kInvalid, "Volumes not supported for DEBUG containers");
    }
    spec->enter_namespaces |= CLONE_NEWNS;
    co_return {};
  }
  spec->clone_namespaces |= CLONE_NEWNS;
  spec->detach_mounts = true;
  co_return {};
}

}  // namespace isolators
