#include "agent/metrics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "base/event_loop.h"

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
      "gc/path_removals_failed",
      "gc/path_removals_pending",
      "gc/path_removals_succeeded",
      "slave/container_launch_errors",
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

class Metrics : public testing::Test {
 protected:
  std::map<std::string, double> collect() {
    std::map<std::string, double> values;
    for (const auto& [name, value] : agent::collect_metrics(agent_)) values.emplace(name, value);
    return values;
  }

  base::EventLoop loop_;
  // No container is launched here, so none needs a launcher.
  agent::Agent agent_{agent::Flags(),
                      info_with({scalar("cpus", 1.5), scalar("mem", 1024), scalar("cpus", 2)}),
                      containerizer::Services{{}, containerizer::RuntimePaths("/nowhere"), {}, {}}};
};

TEST_F(Metrics, NamesAreThoseOfMesos) {
  std::vector<std::string> names;
  for (const auto& [name, value] : agent::collect_metrics(agent_)) names.emplace_back(name);
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

}  // namespace
