// filesystem/posix: executors see the host's file system, and their persistent volumes as links in
// their sandboxes. A link cannot make a volume read-only.
#pragma once

#include "isolators/volume_isolator.h"

namespace isolators {

class FilesystemPosixIsolator final : public VolumeIsolator {
 public:
  std::string_view name() const override { return "filesystem/posix"; }
  bool supports_nesting() const override { return false; }
  bool supports_standalone() const override { return false; }

  base::Task<base::Status> prepare(const ContainerId& id, const ContainerConfig& config,
                                   LaunchSpec* spec) override;

 private:
  base::Status attach(const Passage& passage) override;
  base::Status detach(const Passage& passage) override;
};

}  // namespace isolators
