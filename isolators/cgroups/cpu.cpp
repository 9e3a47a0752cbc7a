#include "isolators/cgroups/cpu.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/strings.h"
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

}  // namespace

Status CpuSubsystem::update(const std::string& group, const ContainerConfig& config) {
  const auto cpus = requested(config, "cpus");
  if (!cpus) return base::fail(base::ErrorKind::kInvalid, "No cpus resource given");
  const int64_t shares = std::max(whole_part(kSharesPerCpu * *cpus), kMinShares);
  TRY_VOID(hierarchy().write(group, "cpu.shares", concat(shares)));

  const auto limit = limited(config, "cpus");
  if (!limit && !enable_cfs_) return {};
  TRY_VOID(
      hierarchy().write(group, "cpu.cfs_period_us", concat(static_cast<int64_t>(kPeriodMicros))));
  int64_t quota = -1;
  if (!limit || !std::isinf(*limit)) {
    quota = std::max(whole_part(kPeriodMicros * limit.value_or(*cpus)), kMinQuotaMicros);
  }
  return hierarchy().write(group, "cpu.cfs_quota_us", concat(quota));
}

void CpuSubsystem::usage(const std::string& group, mesos::v1::ResourceStatistics* statistics) {
  if (!enable_cfs_) return;
  auto stat = hierarchy().read(group, "cpu.stat");
  if (!stat) return;
  for (std::string_view line : base::split(*stat, '\n')) {
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos) continue;
    const auto value = base::parse_number<uint64_t>(line.substr(blank + 1));
    if (!value) continue;
    const std::string_view name = line.substr(0, blank);
    if (name == "nr_periods") statistics->set_cpus_nr_periods(static_cast<uint32_t>(*value));
    if (name == "nr_throttled") statistics->set_cpus_nr_throttled(static_cast<uint32_t>(*value));
    if (name == "throttled_time") {
      statistics->set_cpus_throttled_time_secs(static_cast<double>(*value) / 1e9);
    }
  }
}

void CpuacctSubsystem::usage(const std::string& group, mesos::v1::ResourceStatistics* statistics) {
  static const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  if (auto stat = hierarchy().read(group, "cpuacct.stat")) {
    for (std::string_view line : base::split(*stat, '\n')) {
      const size_t blank = line.find(' ');
      if (blank == std::string_view::npos) continue;
      const auto ticks = base::parse_number<uint64_t>(line.substr(blank + 1));
      if (!ticks) continue;
      const double seconds = static_cast<double>(*ticks) / ticks_per_second;
      if (line.substr(0, blank) == "user") statistics->set_cpus_user_time_secs(seconds);
      if (line.substr(0, blank) == "system") statistics->set_cpus_system_time_secs(seconds);
    }
  }
  if (!count_processes_) return;
  auto count_lines = [&](const char* file) -> uint32_t {
    auto text = hierarchy().read(group, file);
    return text ? static_cast<uint32_t>(base::split(*text, '\n').size()) : 0;
  };
  statistics->set_processes(count_lines("cgroup.procs"));
  statistics->set_threads(count_lines("tasks"));
}

}  // namespace isolators
