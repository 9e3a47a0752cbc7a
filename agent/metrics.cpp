#include "agent/metrics.h"

#include <algorithm>
#include <map>
#include <optional>

#include "agent/host_statistics.h"
#include "agent/resource_summary.h"

namespace agent {

namespace {

using Value = std::optional<double>;

// What the metrics are made of, each part looked up once.
struct Snapshot {
  const Agent& agent;
  const State& state;
  const HostStatistics host;
  std::map<std::string, double> total;  // of the agent's own resources, by name
  std::map<std::string, double> used;
  std::map<mesos::v1::TaskState, double> tasks;  // that have not ended
  std::map<Executor::State, double> executors;

  explicit Snapshot(const Agent& agent_);
};

Snapshot::Snapshot(const Agent& agent_)
    : agent(agent_),
      state(agent_.state),
      host(read_host_statistics()),
      total(summarize_all(agent_.info.resources()).scalars),
      used(summarize_all(allocated_resources(agent_.state)).scalars) {
  double& staging = tasks[mesos::v1::TASK_STAGING];
  for (const auto& [framework_id, framework] : state.frameworks) {
    staging += static_cast<double>(framework.pending_tasks.size());
    for (const auto& [executor_id, executor] : framework.executors) {
      ++executors[executor.state];
      staging += static_cast<double>(executor.queued_tasks.size());
      for (const auto& task : executor.launched_tasks) ++tasks[task.state()];
    }
  }
}

double find(const auto& map, const auto& key) {
  const auto at = map.find(key);
  return at == map.end() ? 0 : at->second;
}

double seconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double>(duration).count();
}

template <typename T>
Value known(const std::optional<T>& value) {
  return value ? Value(static_cast<double>(*value)) : std::nullopt;
}

// A name as a template's argument.
template <size_t N>
struct Name {
  char text[N];
  constexpr Name(const char (&name)[N]) { std::copy_n(name, N, text); }
};

template <Name kName>
Value total(const Snapshot& now) {
  return find(now.total, kName.text);
}
template <Name kName>
Value used(const Snapshot& now) {
  return find(now.used, kName.text);
}
template <Name kName>
Value percent(const Snapshot& now) {
  const double all = find(now.total, kName.text);
  return all > 0 ? find(now.used, kName.text) / all : 0;
}
template <mesos::v1::TaskState kState>
Value tasks(const Snapshot& now) {
  return find(now.tasks, kState);
}
template <Executor::State kState>
Value executors(const Snapshot& now) {
  return find(now.executors, kState);
}
template <auto kCounter>
Value counter(const Snapshot& now) {
  return static_cast<double>(now.state.counters.*kCounter);
}

// Of what this agent does not do yet: it provisions no images.
Value none(const Snapshot&) { return 0; }

// How old a sandbox may become before it is collected: the less, the fuller the disk is.
Value max_sandbox_age(const Snapshot& now) {
  const auto usage = read_disk_usage(now.agent.flags.work_dir);
  if (!usage) return std::nullopt;
  return seconds(now.agent.garbage.max_allowed_age(*usage));
}

// The gauge comes with the isolator that makes file systems for containers.
Value containers_with_rootfs(const Snapshot& now) {
  const auto& isolation = now.agent.flags.isolation;
  if (std::ranges::find(isolation, "filesystem/linux") == isolation.end()) return std::nullopt;
  double count = 0;
  for (const auto& [id, container] : now.agent.containers.containers()) {
    if (container->config().container_info().mesos().has_image()) ++count;
  }
  return count;
}

struct Row {
  std::string_view name;
  MetricKind kind;
  Value (*read)(const Snapshot&);
  std::string_view help;
};

using Counters = State::Counters;
using enum MetricKind;
using enum Executor::State;

constexpr Row kMetrics[] = {
    {"containerizer/fetcher/cache_size_total_bytes", kGauge,
     [](const Snapshot& now) -> Value {
       return static_cast<double>(now.agent.containers.fetcher().cache().capacity().count());
     },
     "Size of the fetcher's cache."},
    {"containerizer/fetcher/cache_size_used_bytes", kGauge,
     [](const Snapshot& now) -> Value {
       return static_cast<double>(now.agent.containers.fetcher().cache().used().count());
     },
     "How much of the fetcher's cache is in use."},
    {"containerizer/fetcher/task_fetches_failed", kCounter,
     [](const Snapshot& now) -> Value {
       return static_cast<double>(now.agent.containers.fetcher().failed());
     },
     "Containers whose fetch failed."},
    {"containerizer/fetcher/task_fetches_succeeded", kCounter,
     [](const Snapshot& now) -> Value {
       return static_cast<double>(now.agent.containers.fetcher().succeeded());
     },
     "Containers whose fetch succeeded."},
    {"containerizer/mesos/container_destroy_errors", kCounter,
     [](const Snapshot& now) -> Value {
       return static_cast<double>(now.agent.containers.destroy_errors());
     },
     "Containers that could not be cleaned up."},
    {"containerizer/mesos/filesystem/containers_new_rootfs", kGauge, containers_with_rootfs,
     "Containers with a root file system of their own."},
    {"containerizer/mesos/provisioner/bind/remove_rootfs_errors", kCounter, none,
     "Root file systems that could not be removed."},
    {"containerizer/mesos/provisioner/remove_container_errors", kCounter, none,
     "Containers whose root file systems could not be removed."},
    {"gc/path_removals_failed", kCounter,
     [](const Snapshot& now) -> Value { return static_cast<double>(now.agent.garbage.failed()); },
     "Directories that could not be deleted."},
    {"gc/path_removals_pending", kGauge,
     [](const Snapshot& now) -> Value { return static_cast<double>(now.agent.garbage.pending()); },
     "Directories that wait for their deletion."},
    {"gc/path_removals_succeeded", kCounter,
     [](const Snapshot& now) -> Value {
       return static_cast<double>(now.agent.garbage.succeeded());
     },
     "Directories of what has ended that were deleted."},
    {"resource_provider_manager/events/disconnect", kCounter,
     counter<&Counters::resource_provider_disconnections>, "Resource providers that went away."},
    {"resource_provider_manager/events/subscribe", kCounter,
     counter<&Counters::resource_provider_subscriptions>, "Resource providers that subscribed."},
    {"resource_provider_manager/subscribed", kGauge,
     [](const Snapshot& now) -> Value {
       return static_cast<double>(now.state.resource_providers.size());
     },
     "Resource providers that are subscribed."},
    {"slave/container_launch_errors", kCounter,
     [](const Snapshot& now) -> Value {
       return static_cast<double>(now.agent.container_launch_errors);
     },
     "Containers that could not be launched."},
    {"slave/cpus_percent", kGauge, percent<"cpus">, "Part of the cpus that is in use."},
    {"slave/cpus_revocable_percent", kGauge, percent<"cpus_revocable">,
     "Part of the revocable cpus that is in use."},
    {"slave/cpus_revocable_total", kGauge, total<"cpus_revocable">, "Revocable cpus."},
    {"slave/cpus_revocable_used", kGauge, used<"cpus_revocable">, "Revocable cpus in use."},
    {"slave/cpus_total", kGauge, total<"cpus">, "Cpus."},
    {"slave/cpus_used", kGauge, used<"cpus">, "Cpus in use."},
    {"slave/disk_percent", kGauge, percent<"disk">, "Part of the disk that is in use."},
    {"slave/disk_revocable_percent", kGauge, percent<"disk_revocable">,
     "Part of the revocable disk that is in use."},
    {"slave/disk_revocable_total", kGauge, total<"disk_revocable">, "Revocable disk, in MB."},
    {"slave/disk_revocable_used", kGauge, used<"disk_revocable">, "Revocable disk in use, in MB."},
    {"slave/disk_total", kGauge, total<"disk">, "Disk, in MB."},
    {"slave/disk_used", kGauge, used<"disk">, "Disk in use, in MB."},
    {"slave/executor_directory_max_allowed_age_secs", kGauge, max_sandbox_age,
     "How old a sandbox may become, as the disk is filled now."},
    {"slave/executors_preempted", kCounter, counter<&Counters::executors_preempted>,
     "Executors that were destroyed for others."},
    {"slave/executors_registering", kGauge, executors<kRegistering>,
     "Executors that have not registered yet."},
    {"slave/executors_running", kGauge, executors<kRunning>, "Executors that run."},
    {"slave/executors_terminated", kCounter, counter<&Counters::executors_terminated>,
     "Executors that have ended."},
    {"slave/executors_terminating", kGauge, executors<kTerminating>, "Executors that are ending."},
    {"slave/frameworks_active", kGauge,
     [](const Snapshot& now) -> Value { return static_cast<double>(now.state.frameworks.size()); },
     "Frameworks with something on this agent."},
    {"slave/gpus_percent", kGauge, percent<"gpus">, "Part of the gpus that is in use."},
    {"slave/gpus_revocable_percent", kGauge, percent<"gpus_revocable">,
     "Part of the revocable gpus that is in use."},
    {"slave/gpus_revocable_total", kGauge, total<"gpus_revocable">, "Revocable gpus."},
    {"slave/gpus_revocable_used", kGauge, used<"gpus_revocable">, "Revocable gpus in use."},
    {"slave/gpus_total", kGauge, total<"gpus">, "Gpus."},
    {"slave/gpus_used", kGauge, used<"gpus">, "Gpus in use."},
    {"slave/invalid_framework_messages", kCounter, counter<&Counters::invalid_framework_messages>,
     "Messages between frameworks and executors that could not be passed on."},
    {"slave/invalid_status_updates", kCounter, counter<&Counters::invalid_status_updates>,
     "Status updates that were refused."},
    {"slave/mem_percent", kGauge, percent<"mem">, "Part of the memory that is in use."},
    {"slave/mem_revocable_percent", kGauge, percent<"mem_revocable">,
     "Part of the revocable memory that is in use."},
    {"slave/mem_revocable_total", kGauge, total<"mem_revocable">, "Revocable memory, in MB."},
    {"slave/mem_revocable_used", kGauge, used<"mem_revocable">, "Revocable memory in use, in MB."},
    {"slave/mem_total", kGauge, total<"mem">, "Memory, in MB."},
    {"slave/mem_used", kGauge, used<"mem">, "Memory in use, in MB."},
    {"slave/recovery_errors", kCounter, counter<&Counters::recovery_errors>,
     "Errors in taking up what an earlier run has left."},
    {"slave/recovery_time_secs", kGauge,
     [](const Snapshot& now) -> Value { return seconds(now.agent.recovery_time); },
     "How long taking up what an earlier run has left took."},
    {"slave/registered", kGauge,
     [](const Snapshot& now) -> Value { return now.state.registered ? 1 : 0; },
     "1 if the agent is registered with a master."},
    {"slave/tasks_failed", kCounter, counter<&Counters::tasks_failed>, "Tasks that failed."},
    {"slave/tasks_finished", kCounter, counter<&Counters::tasks_finished>, "Tasks that finished."},
    {"slave/tasks_gone", kCounter, counter<&Counters::tasks_gone>, "Tasks that are gone."},
    {"slave/tasks_killed", kCounter, counter<&Counters::tasks_killed>, "Tasks that were killed."},
    {"slave/tasks_killing", kGauge, tasks<mesos::v1::TASK_KILLING>, "Tasks that are being killed."},
    {"slave/tasks_lost", kCounter, counter<&Counters::tasks_lost>, "Tasks that were lost."},
    {"slave/tasks_running", kGauge, tasks<mesos::v1::TASK_RUNNING>, "Tasks that run."},
    {"slave/tasks_staging", kGauge, tasks<mesos::v1::TASK_STAGING>, "Tasks that are being staged."},
    {"slave/tasks_starting", kGauge, tasks<mesos::v1::TASK_STARTING>, "Tasks that start."},
    {"slave/uptime_secs", kGauge,
     [](const Snapshot& now) -> Value {
       return seconds(std::chrono::steady_clock::now() - now.agent.started);
     },
     "How long the agent has run."},
    {"slave/valid_framework_messages", kCounter, counter<&Counters::valid_framework_messages>,
     "Messages between frameworks and executors that were passed on."},
    {"slave/valid_status_updates", kCounter, counter<&Counters::valid_status_updates>,
     "Status updates that were accepted."},
    {"system/cpus_total", kGauge, [](const Snapshot& now) { return known(now.host.cpus); },
     "The host's processors that are online."},
    {"system/load_15min", kGauge, [](const Snapshot& now) { return now.host.load_15min; },
     "The host's load in the last 15 minutes."},
    {"system/load_1min", kGauge, [](const Snapshot& now) { return now.host.load_1min; },
     "The host's load in the last minute."},
    {"system/load_5min", kGauge, [](const Snapshot& now) { return now.host.load_5min; },
     "The host's load in the last 5 minutes."},
    {"system/mem_free_bytes", kGauge,
     [](const Snapshot& now) { return known(now.host.free_memory_bytes); },
     "The host's memory that nothing uses."},
    {"system/mem_total_bytes", kGauge,
     [](const Snapshot& now) { return known(now.host.memory_bytes); }, "The host's memory."},
};

static_assert(std::ranges::is_sorted(kMetrics, {}, &Row::name));

}  // namespace

std::vector<Metric> collect_metrics(const Agent& agent) {
  const Snapshot now(agent);
  std::vector<Metric> metrics;
  for (const Row& row : kMetrics) {
    if (const Value value = row.read(now)) {
      metrics.push_back({row.name, row.kind, row.help, *value});
    }
  }
  return metrics;
}

}  // namespace agent
