#include "agent/tasks/launch_check.h"

#include <gtest/gtest.h>

namespace {

using agent::unenforceable_limit;
using Isolation = std::vector<std::string>;

mesos::v1::TaskInfo task_with_limits(const std::vector<std::string>& resources) {
  mesos::v1::TaskInfo task;
  task.mutable_task_id()->set_value("t");
  for (const auto& resource : resources) (*task.mutable_limits())[resource].set_value(1);
  return task;
}

TEST(LimitTest, IsRefusedUnlessSomethingEnforcesIt) {
  const auto both = task_with_limits({"cpus", "mem"});
  EXPECT_EQ("Task 't' limits cpus, but the isolator 'cgroups/cpu' is not in use",
            unenforceable_limit(both, {}));
  EXPECT_EQ("Task 't' limits mem, but the isolator 'cgroups/mem' is not in use",
            unenforceable_limit(both, {"filesystem/linux", "cgroups/cpu"}));
  EXPECT_EQ(std::nullopt, unenforceable_limit(both, {"cgroups/mem", "cgroups/cpu"}));
  EXPECT_EQ(std::nullopt, unenforceable_limit(both, {"cgroups/all"}));
  EXPECT_EQ(std::nullopt, unenforceable_limit(task_with_limits({"mem"}), Isolation{"cgroups/mem"}));
  EXPECT_EQ(std::nullopt, unenforceable_limit(task_with_limits({}), {}));
}

agent::Launch launch_of(const std::vector<std::string>& tasks) {
  agent::Launch launch;
  launch.executor.add_resources()->set_name("of the executor");
  for (const auto& task : tasks) {
    launch.tasks.emplace_back().mutable_task_id()->set_value(task);
    launch.tasks.back().add_resources()->set_name("of " + task);
  }
  return launch;
}

TEST(LaunchCheckTest, AsksForTheResourcesOfAll) {
  std::vector<std::string> asked;
  agent::TaskServices services;
  services.has_resources = [&asked](const auto& resources) {
    for (const auto& resource : resources) asked.push_back(resource.name());
    return resources.size() == 3;
  };
  EXPECT_TRUE(knows_resources_of(services, launch_of({"a", "b"})));
  EXPECT_EQ((std::vector<std::string>{"of the executor", "of a", "of b"}), asked);
  EXPECT_FALSE(knows_resources_of(services, launch_of({"a"})));
  EXPECT_EQ("'a', 'b'", describe(launch_of({"a", "b"})));
}

}  // namespace
