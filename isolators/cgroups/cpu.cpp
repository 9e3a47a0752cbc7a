#include "isolators/cgroups/cpu.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/strings.h"
#include "isolators/cgroups/flat_keyed.h"
#include "isolators/resources.h"

namespace isolators {

using base::concat;
using base::Status;

namespace {

// The amounts of Apache Mesos.
constexpr double kSharesPerCpu = 1024;
constexpr int64_t kMinShares = 2;
constexpr double kPeriodMicros = 100'000;
constexpr int64_t kMinQuotaMicros = 1'000;

// Clients send any number: what is no number is 0, and what is beyond reason is cut.
int64_t whole_part(double value) {
  constexpr double kMost = 1e15;
  return value > 0 ? static_cast<int64_t>(std::min(value, kMost)) : 0;
}

void read_throttling(std::string_view stat, mesos::v1::ResourceStatistics* statistics) {
  for_each_key(stat, [&](std::string_view name, uint64_t value) {
    if (name == "nr_periods") statistics->set_cpus_nr_periods(static_cast<uint32_t>(value));
    if (name == "nr_throttled") statistics->set_cpus_nr_throttled(static_cast<uint32_t>(value));
    if (name == "throttled_time") {
      statistics->set_cpus_throttled_time_secs(static_cast<double>(value) / 1e9);
    }
  });
}

void read_times(std::string_view stat, mesos::v1::ResourceStatistics* statistics) {
  static const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  for_each_key(stat, [&](std::string_view name, uint64_t ticks) {
    const double seconds = static_cast<double>(ticks) / ticks_per_second;
    if (name == "user") statistics->set_cpus_user_time_secs(seconds);
    if (name == "system") statistics->set_cpus_system_time_secs(seconds);
  });
}

uint32_t count_lines(const base::Result<std::string>& text) {
  return text ? static_cast<uint32_t>(base::split(*text, '\n').size()) : 0;
}

}  // namespace

Status CpuSubsystem::update(const std::string& group, const ContainerConfig& config) {
  const auto cpus = requested(config, "cpus");
  if (!cpus) return base::fail(base::ErrorKind::kInvalid, "No cpus resource given");
  const int64_t shares = std::max(whole_part(kSharesPerCpu * *cpus), kMinShares);
  TRY_VOID(hierarchy().write(group, "cpu.shares", concat(shares)));

  const auto limit = limited(config, "cpus");
  if (!limit && !enable_cfs_) {
    // An earlier limit may have to go.
    return limited_.erase(group) == 0 ? Status()
                                      : hierarchy().write(group, "cpu.cfs_quota_us", "-1");
  }
  limited_.insert(group);
  TRY_VOID(
      hierarchy().write(group, "cpu.cfs_period_us", concat(static_cast<int64_t>(kPeriodMicros))));
  int64_t quota = -1;
  if (!limit || !std::isinf(*limit)) {
    quota = std::max(whole_part(kPeriodMicros * limit.value_or(*cpus)), kMinQuotaMicros);
  }
  return hierarchy().write(group, "cpu.cfs_quota_us", concat(quota));
}

UsageReader CpuSubsystem::usage_reader(const std::string& group) {
  if (!enable_cfs_) return nullptr;
  return [hierarchy = shared_hierarchy(), group](mesos::v1::ResourceStatistics* statistics) {
    auto stat = hierarchy->read(group, "cpu.stat");
    if (stat) read_throttling(*stat, statistics);
  };
}

UsageReader CpuacctSubsystem::usage_reader(const std::string& group) {
  return [hierarchy = shared_hierarchy(), count_processes = count_processes_,
          group](mesos::v1::ResourceStatistics* statistics) {
    if (auto stat = hierarchy->read(group, "cpuacct.stat")) read_times(*stat, statistics);
    if (!count_processes) return;
    const auto directory = hierarchy->open_group(group);
    if (!directory) return;
    statistics->set_processes(count_lines(directory->read_list("cgroup.procs")));
    statistics->set_threads(count_lines(directory->read_list("tasks")));
  };
}

}  // namespace isolators
