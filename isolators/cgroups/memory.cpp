#include "isolators/cgroups/memory.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/fd_watch.h"
#include "base/files.h"
#include "base/strings.h"
#include "isolators/cgroups/flat_keyed.h"
#include "isolators/resources.h"

namespace isolators {

using base::concat;
using base::Status;
using mesos::v1::ResourceStatistics;

namespace {

constexpr uint64_t kMegabyte = 1 << 20;

// As in Apache Mesos: less than this no process can live on.
constexpr uint64_t kMinMemory = 32 * kMegabyte;

struct Amounts {
  uint64_t soft;
  uint64_t hard;  // kUnlimitedBytes: none
};

base::Result<Amounts> amounts_of(const ContainerConfig& config) {
  const auto mem = requested(config, "mem");
  if (!mem) return base::fail(base::ErrorKind::kInvalid, "No memory resource given");
  Amounts amounts{};
  amounts.soft = std::max(bytes_of_megabytes(*mem), kMinMemory);
  amounts.hard = amounts.soft;
  if (const auto limit = limited(config, "mem")) {
    amounts.hard = std::max(bytes_of_megabytes(std::floor(*limit)), kMinMemory);
  }
  return amounts;
}

std::string limit_text(uint64_t bytes) { return bytes >= kUnlimitedBytes ? "-1" : concat(bytes); }

// The kernel's own "no limit" is a little above kUnlimitedBytes.
uint64_t hard_limit(const base::CgroupHierarchy& hierarchy, const std::string& group) {
  const auto text = hierarchy.read(group, "memory.limit_in_bytes");
  const auto bytes = text ? base::parse_number<uint64_t>(base::trim(*text)) : std::nullopt;
  return bytes.value_or(kUnlimitedBytes);
}

uint64_t total_memory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
}

// How often the OOM killer has killed in the group.
uint64_t oom_kills(const base::CgroupHierarchy& hierarchy, const std::string& group) {
  uint64_t kills = 0;
  auto text = hierarchy.read(group, "memory.oom_control");
  if (!text) return kills;
  for_each_key(*text, [&](std::string_view key, uint64_t number) {
    if (key == "oom_kill") kills = number;
  });
  return kills;
}

constexpr struct {
  const char* file;
  void (ResourceStatistics::*set)(uint64_t);
} kAmounts[] = {
    {"memory.usage_in_bytes", &ResourceStatistics::set_mem_total_bytes},
    {"memory.memsw.usage_in_bytes", &ResourceStatistics::set_mem_total_memsw_bytes},
    {"memory.kmem.usage_in_bytes", &ResourceStatistics::set_mem_kmem_usage_bytes},
    {"memory.kmem.tcp.usage_in_bytes", &ResourceStatistics::set_mem_kmem_tcp_usage_bytes},
};

// Two fields tell of the same thing: the second is the old name.
void read_stat(std::string_view stat, ResourceStatistics* statistics) {
  for_each_key(stat, [&](std::string_view key, uint64_t bytes) {
    if (!key.starts_with("total_")) return;
    if (key == "total_cache") {
      statistics->set_mem_file_bytes(bytes);
      statistics->set_mem_cache_bytes(bytes);
    } else if (key == "total_rss") {
      statistics->set_mem_anon_bytes(bytes);
      statistics->set_mem_rss_bytes(bytes);
    } else if (key == "total_mapped_file") {
      statistics->set_mem_mapped_file_bytes(bytes);
    } else if (key == "total_swap") {
      statistics->set_mem_swap_bytes(bytes);
    } else if (key == "total_unevictable") {
      statistics->set_mem_unevictable_bytes(bytes);
    }
  });
}

}  // namespace

Status MemorySubsystem::update(const std::string& group, const ContainerConfig& config) {
  TRY(const Amounts amounts, amounts_of(config));
  TRY_VOID(hierarchy().write(group, "memory.soft_limit_in_bytes", limit_text(amounts.soft)));
  // As in Mesos, never lowered: what runs has taken what it had. A new group has no limit. One of
  // an earlier run of the agent that has none is taken for new.
  const uint64_t present = hard_limit(hierarchy(), group);
  const bool is_new = limited_.insert(group).second && present >= kUnlimitedBytes;
  if (!is_new && amounts.hard <= present) return {};
  const auto write_memory = [&] {
    return hierarchy().write(group, "memory.limit_in_bytes", limit_text(amounts.hard));
  };
  if (!limit_swap_) return write_memory();
  const auto write_swap = [&] {
    return hierarchy().write(group, "memory.memsw.limit_in_bytes", limit_text(amounts.hard));
  };
  // Memory may at no time have a higher limit than memory and swap together.
  TRY_VOID(is_new ? write_memory() : write_swap());
  return is_new ? write_swap() : write_memory();
}

void MemorySubsystem::start_counting(const std::string& group) {
  pressure_.insert_or_assign(group, std::make_shared<PressureCounters>(hierarchy(), group));
}

void MemorySubsystem::stop_counting(const std::string& group) {
  pressure_.erase(group);
  limited_.erase(group);
}

Status MemorySubsystem::isolate(const ContainerId& id, const ContainerConfig& config, pid_t pid) {
  // Among containers that may use more than they asked for, the one that asked for least is to be
  // killed first when the host runs out of memory.
  TRY(const Amounts amounts, amounts_of(config));
  if (!id.has_parent() || amounts.soft >= amounts.hard) return {};
  const uint64_t adjustment = 1000 - std::min<uint64_t>(1000, 1000 * amounts.soft / total_memory());
  return base::write_file(concat("/proc/", pid, "/oom_score_adj"), concat(adjustment));
}

UsageReader MemorySubsystem::usage_reader(const std::string& group) {
  const auto counters = pressure_.find(group);
  return [hierarchy = shared_hierarchy(), group,
          pressure = counters == pressure_.end() ? nullptr : counters->second](
             ResourceStatistics* statistics) {
    if (pressure != nullptr) pressure->read(statistics);
    const auto directory = hierarchy->open_group(group);
    if (!directory) return;
    for (const auto& [file, set] : kAmounts) {
      if (auto value = directory->read_number(file)) (statistics->*set)(*value);
    }
    if (auto stat = directory->read("memory.stat")) read_stat(*stat, statistics);
  };
}

std::optional<base::Task<Limitation>> MemorySubsystem::watch(const std::string& group) {
  base::Fd notification(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  auto control = hierarchy().open_file(group, "memory.oom_control", O_RDONLY);
  if (!notification || !control) return std::nullopt;
  auto armed = hierarchy().write(group, "cgroup.event_control",
                                 concat(notification.get(), " ", control->get()));
  // Without the notification limitation_at_end still tells, when the command has ended.
  if (!armed) return std::nullopt;
  return wait_for_oom(group, std::move(notification));
}

base::Task<Limitation> MemorySubsystem::wait_for_oom(std::string group, base::Fd notification) {
  base::FdWatch watch(notification.get(), base::FdWatch::kRead);
  while (true) {
    uint64_t count;
    if (::read(notification.get(), &count, sizeof(count)) != sizeof(count)) {
      co_await watch.readable();
    } else if (hierarchy().exists(group)) {  // the event also comes when the group is removed
      co_return describe_oom(group);
    }
  }
}

std::optional<Limitation> MemorySubsystem::limitation_at_end(const std::string& group) {
  if (oom_kills(hierarchy(), group) == 0) return std::nullopt;
  return describe_oom(group);
}

Limitation MemorySubsystem::describe_oom(const std::string& group) {
  const uint64_t limit = hierarchy().read_number(group, "memory.limit_in_bytes").value_or(0);
  const uint64_t used = hierarchy().read_number(group, "memory.max_usage_in_bytes").value_or(0);
  Limitation limitation;
  limitation.reason = mesos::v1::TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY;
  limitation.message = concat("Memory limit exceeded: Requested: ", limit / kMegabyte,
                              "MB Maximum Used: ", used / kMegabyte, "MB\n\nMEMORY STATISTICS: \n",
                              hierarchy().read(group, "memory.stat").value_or(""), "\n");
  limitation.resources.push_back(
      make_scalar("mem", static_cast<double>(used) / static_cast<double>(kMegabyte)));
  return limitation;
}

}  // namespace isolators
