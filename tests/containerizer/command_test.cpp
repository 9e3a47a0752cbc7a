#include "containerizer/command.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/isolators/config.h"

namespace {

using containerizer::add_command;
using containerizer::check_supported;
using containerizer::LaunchInfo;
using containerizer::make_launch_info;
using isolators::ContainerConfig;
using isolators::LaunchSpec;
using mesos::v1::Environment;
using Strings = std::vector<std::string>;

constexpr char kDefaultPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

ContainerConfig make_config(
    const std::vector<std::pair<std::string, std::string>>& variables = {}) {
  ContainerConfig config;
  config.set_directory("/sandbox");
  for (const auto& [name, value] : variables) {
    auto* variable = config.mutable_command_info()->mutable_environment()->add_variables();
    variable->set_name(name);
    variable->set_value(value);
  }
  return config;
}

// What the helper would be told.
LaunchSpec make_spec(const ContainerConfig& config, const LaunchInfo* parent = nullptr) {
  auto info = make_launch_info(config, parent);
  EXPECT_TRUE(info.has_value());
  LaunchSpec spec;
  add_command(config, *info, &spec);
  return spec;
}

TEST(Command, EnvironmentIsBuiltFromNothing) {
  setenv("COMMAND_TEST", "of the agent", 1);
  const LaunchSpec spec = make_spec(make_config());
  unsetenv("COMMAND_TEST");
  EXPECT_EQ((Strings{"MESOS_SANDBOX=/sandbox", kDefaultPath}), spec.environment);
  EXPECT_EQ("/sandbox", spec.working_directory);
}

TEST(Command, VariablesOfTheCommand) {
  EXPECT_EQ((Strings{"MESOS_SANDBOX=/sandbox", "A=1", "B=", kDefaultPath}),
            make_spec(make_config({{"A", "1"}, {"B", ""}})).environment);
  // The last of a name counts, in the place of the first.
  EXPECT_EQ((Strings{"MESOS_SANDBOX=/sandbox", "A=2", "B=1", kDefaultPath}),
            make_spec(make_config({{"A", "1"}, {"B", "1"}, {"A", "2"}})).environment);
  // The command wins over us.
  EXPECT_EQ((Strings{"MESOS_SANDBOX=elsewhere", kDefaultPath}),
            make_spec(make_config({{"MESOS_SANDBOX", "elsewhere"}})).environment);
  EXPECT_EQ((Strings{"MESOS_SANDBOX=/sandbox", "PATH=/bin"}),
            make_spec(make_config({{"PATH", "/bin"}})).environment);
  EXPECT_EQ((Strings{"MESOS_SANDBOX=/sandbox", "PATH="}),
            make_spec(make_config({{"PATH", ""}})).environment);
  EXPECT_EQ((Strings{"MESOS_SANDBOX=/sandbox", "path=/bin", kDefaultPath}),
            make_spec(make_config({{"path", "/bin"}})).environment);
}

TEST(Command, SessionsStartFromTheirParents) {
  const auto parent = make_launch_info(make_config({{"A", "1"}, {"B", "1"}}), nullptr);
  ASSERT_TRUE(parent.has_value());
  ContainerConfig session = make_config({{"B", "2"}, {"C", "3"}});
  session.set_directory("/sandbox/containers/session");
  const LaunchSpec spec = make_spec(session, &*parent);
  EXPECT_EQ((Strings{"MESOS_SANDBOX=/sandbox", "A=1", "B=2", "C=3", kDefaultPath}),
            spec.environment);
  EXPECT_EQ("/sandbox", spec.working_directory);

  // Nothing is known of a parent whose checkpoint was lost.
  const LaunchInfo unknown;
  const LaunchSpec bare = make_spec(session, &unknown);
  EXPECT_EQ((Strings{"B=2", "C=3", kDefaultPath}), bare.environment);
  EXPECT_EQ("", bare.working_directory);
}

TEST(Command, SecretsNeedAResolver) {
  ContainerConfig config = make_config({{"A", "1"}});
  auto* variable = config.mutable_command_info()->mutable_environment()->add_variables();
  variable->set_name("TOKEN");
  variable->set_type(Environment::Variable::SECRET);
  variable->mutable_secret()->set_type(mesos::v1::Secret::VALUE);
  variable->mutable_secret()->mutable_value()->set_data("hidden");
  auto info = make_launch_info(config, nullptr);
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ(base::ErrorKind::kInvalid, info.error().kind);
  EXPECT_EQ(
      "Cannot resolve the secret of environment variable 'TOKEN': no secret resolver is configured",
      info.error().message);
}

TEST(Command, WhatIsExecuted) {
  ContainerConfig shell = make_config();
  shell.mutable_command_info()->set_value("echo a; echo b");
  LaunchSpec spec = make_spec(shell);
  EXPECT_EQ("sh", spec.executable);
  EXPECT_EQ((Strings{"sh", "-c", "echo a; echo b"}), spec.arguments);

  // `arguments` are only for commands without a shell.
  shell.mutable_command_info()->add_arguments("ignored");
  EXPECT_EQ((Strings{"sh", "-c", "echo a; echo b"}), make_spec(shell).arguments);

  ContainerConfig plain = make_config();
  plain.mutable_command_info()->set_shell(false);
  plain.mutable_command_info()->set_value("/bin/echo");
  spec = make_spec(plain);
  EXPECT_EQ("/bin/echo", spec.executable);
  EXPECT_EQ(Strings{}, spec.arguments);
  // They are the whole argv.
  plain.mutable_command_info()->add_arguments("a name");
  plain.mutable_command_info()->add_arguments("x");
  EXPECT_EQ((Strings{"a name", "x"}), make_spec(plain).arguments);

  ContainerConfig nothing = make_config();
  for (const bool with_shell : {true, false}) {
    nothing.mutable_command_info()->set_shell(with_shell);
    spec = make_spec(nothing);
    EXPECT_EQ("", spec.executable);
    EXPECT_EQ(Strings{}, spec.arguments);
    EXPECT_EQ("/sandbox", spec.working_directory);
  }
  // An empty one is one.
  nothing.mutable_command_info()->set_shell(true);
  nothing.mutable_command_info()->set_value("");
  EXPECT_EQ((Strings{"sh", "-c", ""}), make_spec(nothing).arguments);
}

TEST(Command, WhatIsNotSupported) {
  const auto refusal = [](const ContainerConfig& config) {
    auto status = check_supported(config);
    if (status) return std::string();
    EXPECT_EQ(base::ErrorKind::kInvalid, status.error().kind);
    return status.error().message;
  };
  EXPECT_EQ("", refusal(make_config({{"A", "1"}})));

  ContainerConfig docker;
  docker.mutable_container_info()->set_type(mesos::v1::ContainerInfo::DOCKER);
  EXPECT_EQ("The provided ContainerInfo is not supported", refusal(docker));

  ContainerConfig image;
  image.mutable_container_info()->set_type(mesos::v1::ContainerInfo::MESOS);
  EXPECT_EQ("", refusal(image));
  image.mutable_container_info()->mutable_mesos()->mutable_image()->set_type(
      mesos::v1::Image::DOCKER);
  EXPECT_EQ("Unsupported container image type: DOCKER", refusal(image));

  ContainerConfig volumes;
  volumes.mutable_container_info()->set_type(mesos::v1::ContainerInfo::MESOS);
  volumes.mutable_container_info()->add_volumes();
  EXPECT_EQ("Volumes are not supported by this agent yet", refusal(volumes));

  ContainerConfig persistent;
  persistent.add_resources()->mutable_disk()->mutable_volume()->set_container_path("data");
  EXPECT_EQ(
      "Only executors have persistent volumes: containers nested in them find those in the "
      "executor's sandbox",
      refusal(persistent));
  persistent.add_volumes()->set_container_path("data");
  EXPECT_EQ("", refusal(persistent));

  ContainerConfig uris;
  uris.mutable_command_info()->add_uris()->set_value("file:///x");
  EXPECT_EQ("", refusal(uris));
  uris.mutable_command_info()->add_uris()->set_value("http://x/");
  EXPECT_EQ("Failed to fetch 'http://x/': Malformed URI (missing path)", refusal(uris));
}

}  // namespace
