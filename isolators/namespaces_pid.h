// namespaces/pid: a process id namespace for each container, nested in its parent's.
#pragma once

#include "isolators/isolator.h"

namespace isolators {

class NamespacesPidIsolator final : public Isolator {
 public:
  // With `disallow_sharing` no top-level container may ask for the agent's own namespace.
  explicit NamespacesPidIsolator(bool disallow_sharing) : disallow_sharing_(disallow_sharing) {}

  std::string_view name() const override { return "namespaces/pid"; }

  base::Task<base::Status> prepare(const ContainerId& id, const ContainerConfig& config,
                                   LaunchSpec* spec) override;

 private:
  const bool disallow_sharing_;
};

}  // namespace isolators
