#include "agent/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/agent/cluster.h"
#include "tests/base/loop_test.h"
#include "tests/scratch.h"

namespace {

// What dashboards and exporters for Apache Mesos look for, except what comes with an isolator, an
// image store or a resource provider.
std::vector<std::string> expected_names() {
  std::vector<std::string> names = {
      "containerizer/fetcher/cache_size_total_bytes",
      "containerizer/fetcher/cache_size_used_bytes",
      "containerizer/fetcher/task_fetches_failed",
      "containerizer/fetcher/task_fetches_succeeded",
      "containerizer/mesos/container_destroy_errors",
      "containerizer/mesos/filesystem/containers_new_rootfs",
      "containerizer/mesos/provisioner/bind/remove_rootfs_errors",
      "containerizer/mesos/provisioner/remove_container_errors",
      "gc/path_removals_failed",
      "gc/path_removals_pending",
      "gc/path_removals_succeeded",
      "resource_provider_manager/events/disconnect",
      "resource_provider_manager/events/subscribe",
      "resource_provider_manager/subscribed",
      "slave/container_launch_errors",
      "slave/executor_directory_max_allowed_age_secs",
      "slave/executors_preempted",
      "slave/executors_registering",
      "slave/executors_running",
      "slave/executors_terminated",
      "slave/executors_terminating",
      "slave/frameworks_active",
      "slave/invalid_framework_messages",
      "slave/invalid_status_updates",
      "slave/recovery_errors",
      "slave/recovery_time_secs",
      "slave/registered",
      "slave/uptime_secs",
      "slave/valid_framework_messages",
      "slave/valid_status_updates",
      "system/cpus_total",
      "system/load_15min",
      "system/load_1min",
      "system/load_5min",
      "system/mem_free_bytes",
      "system/mem_total_bytes",
  };
  for (const char* state : {"staging", "starting", "running", "killing", "finished", "failed",
                            "killed", "lost", "gone"}) {
    names.push_back(std::string("slave/tasks_") + state);
  }
  for (const char* resource : {"cpus", "gpus", "mem", "disk"}) {
    for (const char* what : {"_total", "_used", "_percent", "_revocable_total", "_revocable_used",
                             "_revocable_percent"}) {
      names.push_back(std::string("slave/") + resource + what);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

mesos::v1::Resource scalar(const std::string& name, double value) {
  mesos::v1::Resource resource;
  resource.set_name(name);
  resource.set_type(mesos::v1::Value::SCALAR);
  resource.mutable_scalar()->set_value(value);
  return resource;
}

mesos::v1::AgentInfo info_with(const std::vector<mesos::v1::Resource>& resources) {
  mesos::v1::AgentInfo info;
  info.mutable_resources()->Add(resources.begin(), resources.end());
  return info;
}

class Metrics : public tests::LoopTest {
 protected:
  std::map<std::string, double> collect() {
    std::map<std::string, double> values;
    for (const auto& metric : agent::collect_metrics(agent_)) {
      values.emplace(metric.name, metric.value);
    }
    return values;
  }

  // No container is launched here, so none needs a launcher.
  static agent::Flags make_flags() {
    agent::Flags flags;
    flags.work_dir = "/";
    flags.isolation = {"filesystem/linux"};
    flags.gc_delay = std::chrono::hours(10);
    flags.gc_disk_headroom = 0.1;
    return flags;
  }

  agent::Agent agent_{make_flags(),
                      info_with({scalar("cpus", 1.5), scalar("mem", 1024), scalar("cpus", 2)}),
                      containerizer::Services{{}, containerizer::RuntimePaths("/nowhere"), {}, {}}};
};

TEST_F(Metrics, NamesAreThoseOfMesos) {
  std::vector<std::string> names;
  for (const auto& metric : agent::collect_metrics(agent_)) {
    names.emplace_back(metric.name);
    EXPECT_TRUE(metric.help.ends_with('.')) << metric.name;
  }
  EXPECT_EQ(expected_names(), names);
}

TEST_F(Metrics, Values) {
  agent_.container_launch_errors = 3;
  agent_.recovery_time = std::chrono::milliseconds(1500);
  auto values = collect();
  EXPECT_EQ(3.5, values["slave/cpus_total"]);
  EXPECT_EQ(1024, values["slave/mem_total"]);
  EXPECT_EQ(0, values["slave/gpus_total"]);
  EXPECT_EQ(3, values["slave/container_launch_errors"]);
  EXPECT_EQ(1.5, values["slave/recovery_time_secs"]);
  EXPECT_EQ(0, values["slave/registered"]);
  EXPECT_EQ(static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)), values["system/cpus_total"]);
  EXPECT_GT(values["system/mem_total_bytes"], values["system/mem_free_bytes"]);
  EXPECT_GE(values["slave/uptime_secs"], 0);
}

TEST_F(Metrics, OfFrameworksExecutorsAndTasks) {
  agent_.state = tests::make_state();
  agent_.state.counters.tasks_lost = 7;
  agent_.state.counters.resource_provider_subscriptions = 2;
  auto values = collect();
  EXPECT_EQ(1, values["slave/registered"]);
  EXPECT_EQ(1, values["slave/frameworks_active"]);
  EXPECT_EQ(2, values["slave/tasks_staging"]);  // pending and queued
  EXPECT_EQ(1, values["slave/tasks_running"]);
  EXPECT_EQ(0, values["slave/tasks_killing"]);
  EXPECT_EQ(7, values["slave/tasks_lost"]);
  EXPECT_EQ(1, values["slave/executors_running"]);
  EXPECT_EQ(0, values["slave/executors_registering"]);
  EXPECT_EQ(2, values["resource_provider_manager/events/subscribe"]);
  EXPECT_DOUBLE_EQ(1.85, values["slave/cpus_used"]);
  EXPECT_DOUBLE_EQ(1.85 / 3.5, values["slave/cpus_percent"]);
  EXPECT_EQ(0, values["slave/gpus_percent"]);
}

TEST_F(Metrics, RevocableAndSharedResources) {
  agent_.state = tests::make_state();
  auto& executor = agent_.state.frameworks.at("framework-1").executors.at("executor-1");
  auto& revocable = *executor.info.add_resources();
  revocable = scalar("cpus", 0.5);
  revocable.mutable_revocable();
  mesos::v1::Resource shared = scalar("disk", 100);
  shared.mutable_shared();
  shared.mutable_disk()->mutable_persistence()->set_id("volume");
  *executor.launched_tasks.front().add_resources() = shared;
  *executor.queued_tasks.front().add_resources() = shared;
  auto values = collect();
  EXPECT_DOUBLE_EQ(1.85, values["slave/cpus_used"]);
  EXPECT_EQ(0.5, values["slave/cpus_revocable_used"]);
  EXPECT_EQ(100, values["slave/disk_used"]);
}

TEST_F(Metrics, OfGarbage) {
  tests::ScratchDirectory scratch;
  agent::Flags flags = make_flags();
  flags.work_dir = scratch.path();
  agent::Agent agent(flags, {},
                     containerizer::Services{{}, containerizer::RuntimePaths("/nowhere"), {}, {}});
  agent.garbage.options().remove = [](const auto&, const std::string& path, const auto&) {
    return path.ends_with("bad") ? base::Status(base::fail("it cannot be deleted"))
                                 : base::Status();
  };
  for (const std::string name : {"good", "bad", "young"}) {
    const std::string path = scratch / ("containers/" + name);
    std::filesystem::create_directories(path);
    if (name == "young") continue;
    std::filesystem::last_write_time(
        path, std::filesystem::file_time_type::clock::now() - std::chrono::hours(20));
  }
  const auto value = [&agent](std::string_view name) {
    for (const auto& metric : agent::collect_metrics(agent)) {
      if (metric.name == name) return metric.value;
    }
    return -1.0;
  };
  for (const std::string name : {"good", "bad", "young"}) {
    agent.garbage.schedule(scratch / ("containers/" + name),
                           agent::GarbageCollector::Age::kAsOnDisk);
  }
  EXPECT_EQ(3, value("gc/path_removals_pending"));
  agent.garbage.start();
  await(
      [&] { return value("gc/path_removals_succeeded") + value("gc/path_removals_failed") == 2; });
  EXPECT_EQ(1, value("gc/path_removals_succeeded"));
  EXPECT_EQ(1, value("gc/path_removals_failed"));
  EXPECT_EQ(2, value("gc/path_removals_pending"));  // the one that failed waits again
}

TEST_F(Metrics, AFullDiskShortensTheLivesOfSandboxes) {
  auto values = collect();
  const double age = values["slave/executor_directory_max_allowed_age_secs"];
  EXPECT_GE(age, 0);
  EXPECT_LE(age, 36000 * 0.9);
}

}  // namespace
