// memory: soft and hard limit; a container that the kernel's OOM killer has hit is a limitation.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "isolators/cgroups/memory_pressure.h"
#include "isolators/cgroups/subsystem.h"

namespace isolators {

class MemorySubsystem final : public Subsystem {
 public:
  // With `limit_swap` memory and swap together are held to the hard limit.
  MemorySubsystem(base::CgroupHierarchy hierarchy, bool limit_swap)
      : Subsystem(std::move(hierarchy)), limit_swap_(limit_swap) {}

  base::Status update(const std::string& group, const ContainerConfig& config) override;
  void start_counting(const std::string& group) override;
  void stop_counting(const std::string& group) override;
  base::Status isolate(const ContainerId& id, const ContainerConfig& config, pid_t pid) override;
  UsageReader usage_reader(const std::string& group) override;
  std::optional<base::Task<Limitation>> watch(const std::string& group) override;
  std::optional<Limitation> limitation_at_end(const std::string& group) override;

 private:
  base::Task<Limitation> wait_for_oom(std::string group, base::Fd notification);
  Limitation describe_oom(const std::string& group);

  const bool limit_swap_;
  std::set<std::string> limited_;  // groups that have got a limit
  std::map<std::string, std::shared_ptr<PressureCounters>> pressure_;  // by group
};

}  // namespace isolators
