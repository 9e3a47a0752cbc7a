#include "agent/metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <optional>

namespace agent {

namespace {

using Value = std::optional<double>;

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

double total(const Agent& agent, std::string_view name) {
  double sum = 0;
  for (const auto& resource : agent.info.resources()) {
    if (resource.name() == name && resource.type() == mesos::v1::Value::SCALAR) {
      sum += resource.scalar().value();
    }
  }
  return sum;
}

Value load(int index) {
  double values[3];
  if (getloadavg(values, 3) != 3) return std::nullopt;
  return values[index];
}

Value memory(int pages) {
  const long count = sysconf(pages);
  if (count < 0) return std::nullopt;
  return static_cast<double>(count) * static_cast<double>(sysconf(_SC_PAGE_SIZE));
}

// A standalone agent runs no frameworks, executors or tasks, fetches nothing and collects no
// garbage: there these are what they say.
Value none(const Agent&) { return 0.0; }

struct Metric {
  std::string_view name;
  Value (*read)(const Agent&);
};

constexpr Metric kMetrics[] = {
    {"containerizer/fetcher/cache_size_total_bytes", none},
    {"containerizer/fetcher/cache_size_used_bytes", none},
    {"containerizer/fetcher/task_fetches_failed", none},
    {"containerizer/fetcher/task_fetches_succeeded", none},
    {"containerizer/mesos/container_destroy_errors",
     [](const Agent& agent) -> Value {
       return static_cast<double>(agent.containers.destroy_errors());
     }},
    {"gc/path_removals_failed", none},
    {"gc/path_removals_pending", none},
    {"gc/path_removals_succeeded", none},
    {"slave/container_launch_errors",
     [](const Agent& agent) -> Value {
       return static_cast<double>(agent.container_launch_errors);
     }},
    {"slave/cpus_percent", none},
    {"slave/cpus_revocable_percent", none},
    {"slave/cpus_revocable_total", none},
    {"slave/cpus_revocable_used", none},
    {"slave/cpus_total", [](const Agent& agent) -> Value { return total(agent, "cpus"); }},
    {"slave/cpus_used", none},
    {"slave/disk_percent", none},
    {"slave/disk_revocable_percent", none},
    {"slave/disk_revocable_total", none},
    {"slave/disk_revocable_used", none},
    {"slave/disk_total", [](const Agent& agent) -> Value { return total(agent, "disk"); }},
    {"slave/disk_used", none},
    {"slave/executors_preempted", none},
    {"slave/executors_registering", none},
    {"slave/executors_running", none},
    {"slave/executors_terminated", none},
    {"slave/executors_terminating", none},
    {"slave/frameworks_active", none},
    {"slave/gpus_percent", none},
    {"slave/gpus_revocable_percent", none},
    {"slave/gpus_revocable_total", none},
    {"slave/gpus_revocable_used", none},
    {"slave/gpus_total", [](const Agent& agent) -> Value { return total(agent, "gpus"); }},
    {"slave/gpus_used", none},
    {"slave/invalid_framework_messages", none},
    {"slave/invalid_status_updates", none},
    {"slave/mem_percent", none},
    {"slave/mem_revocable_percent", none},
    {"slave/mem_revocable_total", none},
    {"slave/mem_revocable_used", none},
    {"slave/mem_total", [](const Agent& agent) -> Value { return total(agent, "mem"); }},
    {"slave/mem_used", none},
    {"slave/recovery_errors", none},
    {"slave/recovery_time_secs",
     [](const Agent& agent) -> Value { return seconds(agent.recovery_time); }},
    {"slave/registered", none},
    {"slave/tasks_failed", none},
    {"slave/tasks_finished", none},
    {"slave/tasks_gone", none},
    {"slave/tasks_killed", none},
    {"slave/tasks_killing", none},
    {"slave/tasks_lost", none},
    {"slave/tasks_running", none},
    {"slave/tasks_staging", none},
    {"slave/tasks_starting", none},
    {"slave/uptime_secs",
     [](const Agent& agent) -> Value {
       return seconds(std::chrono::steady_clock::now() - agent.started);
     }},
    {"slave/valid_framework_messages", none},
    {"slave/valid_status_updates", none},
    {"system/cpus_total",
     [](const Agent&) -> Value { return static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)); }},
    {"system/load_15min", [](const Agent&) -> Value { return load(2); }},
    {"system/load_1min", [](const Agent&) -> Value { return load(0); }},
    {"system/load_5min", [](const Agent&) -> Value { return load(1); }},
    {"system/mem_free_bytes", [](const Agent&) -> Value { return memory(_SC_AVPHYS_PAGES); }},
    {"system/mem_total_bytes", [](const Agent&) -> Value { return memory(_SC_PHYS_PAGES); }},
};

static_assert(std::is_sorted(std::begin(kMetrics), std::end(kMetrics),
                             [](const Metric& a, const Metric& b) { return a.name < b.name; }));

}  // namespace

std::vector<std::pair<std::string_view, double>> collect_metrics(const Agent& agent) {
  std::vector<std::pair<std::string_view, double>> values;
  for (const auto& metric : kMetrics) {
    if (const Value value = metric.read(agent)) values.emplace_back(metric.name, *value);
  }
  return values;
}

}  // namespace agent
