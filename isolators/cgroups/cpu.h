// cpu: shares, and with CFS a hard quota. cpuacct: time used.
#pragma once

#include <set>
#include <string>

#include "isolators/cgroups/subsystem.h"

namespace isolators {

class CpuSubsystem final : public Subsystem {
 public:
  // With `enable_cfs` every container gets a hard quota; without, only those with a limit.
  CpuSubsystem(base::CgroupHierarchy hierarchy, bool enable_cfs)
      : Subsystem(std::move(hierarchy)), enable_cfs_(enable_cfs) {}

  base::Status update(const std::string& group, const ContainerConfig& config) override;
  UsageReader usage_reader(const std::string& group) override;

  void stop_counting(const std::string& group) override { limited_.erase(group); }

 private:
  const bool enable_cfs_;
  std::set<std::string> limited_;  // groups that have got a quota
};

class CpuacctSubsystem final : public Subsystem {
 public:
  // With `count_processes` the statistics also count processes and threads.
  CpuacctSubsystem(base::CgroupHierarchy hierarchy, bool count_processes)
      : Subsystem(std::move(hierarchy)), count_processes_(count_processes) {}

  UsageReader usage_reader(const std::string& group) override;

 private:
  const bool count_processes_;
};

}  // namespace isolators
