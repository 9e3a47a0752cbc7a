// filesystem/linux: a mount namespace for each container. Containers see the host's file system;
// images and volumes are refused with a sentence.
#pragma once

#include "isolators/isolator.h"

namespace isolators {

class FilesystemLinuxIsolator final : public Isolator {
 public:
  std::string_view name() const override { return "filesystem/linux"; }

  base::Task<base::Status> prepare(const ContainerId& id, const ContainerConfig& config,
                                   LaunchSpec* spec) override;
};

}  // namespace isolators
