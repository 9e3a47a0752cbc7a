// What becomes of a command task's own words in the executor that runs it.
#include "agent/tasks/command_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

struct CommandExecutorTest : testing::Test {
  CommandExecutorTest() {
    flags.launcher_dir = MESOS_BIN_DIR;
    flags.sandbox_directory = "/mnt/sandbox";
    flags.switch_user = true;
    framework.set_user("operator");
    framework.mutable_id()->set_value("f");
    task.mutable_task_id()->set_value("t");
    task.mutable_command()->set_value("true");
  }

  mesos::v1::ExecutorInfo made() const {
    return agent::make_command_executor(flags, framework, task);
  }

  agent::Flags flags;
  mesos::v1::FrameworkInfo framework;
  mesos::v1::TaskInfo task;
};

TEST_F(CommandExecutorTest, HasWhatTheTaskBringsForItsContainer) {
  task.mutable_command()->add_uris()->set_value("http://host/archive.tgz");
  auto* variable = task.mutable_command()->mutable_environment()->add_variables();
  variable->set_name("NAME");
  variable->set_value("value");
  task.mutable_command()->set_user("somebody");
  task.mutable_labels()->add_labels()->set_key("label");
  task.mutable_discovery()->set_visibility(mesos::v1::DiscoveryInfo::CLUSTER);
  task.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
  const auto executor = made();
  ASSERT_EQ(1, executor.command().uris_size());
  EXPECT_EQ("http://host/archive.tgz", executor.command().uris(0).value());
  ASSERT_EQ(1, executor.command().environment().variables_size());
  EXPECT_EQ("value", executor.command().environment().variables(0).value());
  EXPECT_EQ("somebody", executor.command().user());
  EXPECT_EQ("label", executor.labels().labels(0).key());
  EXPECT_EQ(mesos::v1::DiscoveryInfo::CLUSTER, executor.discovery().visibility());
  EXPECT_EQ(mesos::v1::ContainerInfo::MESOS, executor.container().type());
}

// The rest of the task reaches it with the launch.
TEST_F(CommandExecutorTest, IsTheProgramAndNotTheTasksCommand) {
  const auto command = made().command();
  EXPECT_FALSE(command.shell());
  EXPECT_THAT(command.value(), HasSubstr("/mesos-executor"));
  EXPECT_EQ("mesos-executor", command.arguments(0));
  EXPECT_EQ(0, command.uris_size());
  EXPECT_FALSE(command.has_user());
  EXPECT_FALSE(command.has_environment());
}

// Only then does the executor run outside of what the task is to see.
TEST_F(CommandExecutorTest, IsToldOfItsSandboxAndUserIfTheTaskHasAnImage) {
  const auto given = [this] {
    const auto executor = made();
    const auto& arguments = executor.command().arguments();
    return std::vector<std::string>(arguments.begin(), arguments.end());
  };
  EXPECT_THAT(given(), Not(Contains("--sandbox_directory=/mnt/sandbox")));
  EXPECT_THAT(given(), Not(Contains("--user=operator")));
  task.mutable_container()->mutable_mesos()->mutable_image()->set_type(mesos::v1::Image::DOCKER);
  EXPECT_THAT(given(), Contains("--sandbox_directory=/mnt/sandbox"));
  EXPECT_THAT(given(), Contains("--user=operator"));
  task.mutable_command()->set_user("somebody");
  EXPECT_THAT(given(), Contains("--user=somebody"));
  flags.switch_user = false;
  EXPECT_THAT(given(), Not(Contains("--user=somebody")));
}

TEST_F(CommandExecutorTest, ALongCommandIsCutInItsName) {
  const auto name_of = [this](const std::string& value) {
    task.mutable_command()->set_value(value);
    return made().name();
  };
  EXPECT_EQ("Command Executor (Task: t) (Command: sh -c '123456789012345')",
            name_of("123456789012345"));
  EXPECT_EQ("Command Executor (Task: t) (Command: sh -c '123456789012...')",
            name_of("1234567890123456"));
}

}  // namespace
