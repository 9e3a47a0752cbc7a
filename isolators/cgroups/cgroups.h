// The isolator behind all `cgroups/*` names (cgroup v1): places containers in groups of the chosen
// controllers and lets each controller set its limits.
#pragma once

#include <map>
#include <set>

#include "isolators/cgroups/subsystem.h"

namespace isolators {

class CgroupsIsolator final : public Isolator {
 public:
  explicit CgroupsIsolator(std::vector<std::unique_ptr<Subsystem>> subsystems)
      : subsystems_(std::move(subsystems)) {}
  ~CgroupsIsolator() override;

  std::string_view name() const override { return "cgroups"; }

  base::Task<base::Status> prepare(const ContainerId& id, const ContainerConfig& config,
                                   LaunchSpec* spec) override;
  base::Task<base::Status> isolate(const ContainerId& id, pid_t pid) override;
  base::Status update(const ContainerId& id, const ContainerConfig& config) override;
  std::optional<base::Task<Limitation>> watch(const ContainerId& id) override;
  std::optional<Limitation> limitation_at_end(const ContainerId& id) override;
  UsageReader usage_reader(const ContainerId& id) override;
  base::Task<base::Status> cleanup(const ContainerId& id) override;
  base::Status recover(const ContainerId& id, const ContainerConfig& config) override;

 private:
  struct Owner {
    std::string group;
    std::unique_ptr<const ContainerConfig> asked = {};  // for isolate(), until then
  };

  // Whether the container has groups of its own; otherwise it lives in its nearest ancestor's.
  static bool owns_groups(const ContainerId& id, const ContainerConfig& config);
  const Owner* nearest_owner(ContainerId id) const;
  base::Status write_limits(const std::string& group, const ContainerConfig& config);
  base::Status make_groups(const ContainerId& id, const ContainerConfig& config);

  std::vector<std::unique_ptr<Subsystem>> subsystems_;
  std::map<ContainerId, Owner> owners_;
};

}  // namespace isolators
