#include "executors/options.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

namespace executors {
namespace {

using namespace std::chrono_literals;

class OptionsTest : public testing::Test {
 protected:
  base::Result<Options> read(std::vector<std::string> arguments = {}) const {
    std::vector<char*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    return read_options(pointers, [this](const char* name) {
      const auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    });
  }

  std::map<std::string, std::string> environment_ = {
      {"MESOS_FRAMEWORK_ID", "framework"},
      {"MESOS_EXECUTOR_ID", "executor"},
      {"MESOS_SLAVE_PID", "slave(1)@127.0.0.1:5051"},
      {"MESOS_CHECKPOINT", "0"},
  };
};

TEST_F(OptionsTest, TheLeast) {
  const auto options = read();
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->agent.framework_id, "framework");
  EXPECT_EQ(options->agent.executor_id, "executor");
  EXPECT_EQ(options->agent.ip, "127.0.0.1");
  EXPECT_EQ(options->agent.port, 5051);
  EXPECT_EQ(options->agent.target, "/slave(1)/api/v1/executor");
  EXPECT_EQ(options->agent.domain_socket, "");
  EXPECT_EQ(options->agent.token, "");
  EXPECT_FALSE(options->agent.checkpoint);
  EXPECT_EQ(options->shutdown_grace_period, 5s);
}

TEST_F(OptionsTest, Everything) {
  environment_["MESOS_AGENT_ENDPOINT"] = "10.0.0.1:1";
  environment_["MESOS_CHECKPOINT"] = "1";
  environment_["MESOS_RECOVERY_TIMEOUT"] = "15mins";
  environment_["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = "1500ms";
  environment_["MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD"] = "90secs";
  environment_["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"] = "token";
  environment_["MESOS_DOMAIN_SOCKET"] = "/run/agent.sock";
  const auto options =
      read({"--launcher_dir=/x", "--sandbox_directory=/y", "--user=nobody",
            R"(--task_environment={"variables":[{"name":"A","type":"VALUE","value":"b=c"},)"
            R"({"name":"S","type":"SECRET"},{"name":"B"}]})"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->agent.ip, "10.0.0.1");
  EXPECT_EQ(options->agent.port, 1);
  EXPECT_TRUE(options->agent.checkpoint);
  EXPECT_EQ(options->agent.recovery_timeout, 15min);
  EXPECT_EQ(options->agent.backoff_max, 1500ms);
  EXPECT_EQ(options->shutdown_grace_period, 90s);
  EXPECT_EQ(options->agent.token, "token");
  EXPECT_EQ(options->user, "nobody");
  EXPECT_EQ(options->agent.domain_socket, "/run/agent.sock");
  ASSERT_EQ(options->task_environment.size(), 2);
  EXPECT_EQ(options->task_environment[0].name, "A");
  EXPECT_EQ(options->task_environment[0].value, "b=c");
  EXPECT_EQ(options->task_environment[1].name, "B");
}

TEST_F(OptionsTest, WhatIsMissingOrWrong) {
  const auto message = [&](const char* name, const char* value) {
    const auto before = environment_;
    if (value == nullptr) {
      environment_.erase(name);
    } else {
      environment_[name] = value;
    }
    const auto options = read();
    environment_ = before;
    return options ? std::string("accepted") : options.error().message;
  };
  EXPECT_EQ(message("MESOS_FRAMEWORK_ID", nullptr),
            "The environment variable MESOS_FRAMEWORK_ID is not set: this program is started by an "
            "agent");
  EXPECT_NE(message("MESOS_EXECUTOR_ID", ""), "accepted");
  EXPECT_EQ(message("MESOS_SLAVE_PID", "127.0.0.1:5051"), "MESOS_SLAVE_PID is '127.0.0.1:5051'");
  EXPECT_EQ(message("MESOS_SLAVE_PID", "slave(1)@here"), "'here' is no endpoint");
  EXPECT_EQ(message("MESOS_AGENT_ENDPOINT", "1.2.3.4:99999"), "'1.2.3.4:99999' is no endpoint");
  EXPECT_NE(message("MESOS_RECOVERY_TIMEOUT", "soon"), "accepted");
}

TEST_F(OptionsTest, Flags) {
  const auto message = [&](const char* flag) {
    const auto options = read({flag});
    return options ? std::string("accepted") : options.error().message;
  };
  EXPECT_EQ(message("--launcher_dir=/usr"), "accepted");
  EXPECT_EQ(message("--rootfs=/image"),
            "--rootfs: tasks with a root file system of their own are not supported yet");
  EXPECT_EQ(message("--no_such_flag"), "Unknown flag --no_such_flag");
  EXPECT_EQ(message("argument"), "Unexpected argument 'argument'");
  EXPECT_EQ(message("--task_environment=[}"),
            "--task_environment is not the JSON of an Environment");
  EXPECT_EQ(message(R"(--task_environment={"variables":[{}]})"),
            "--task_environment is not the JSON of an Environment");
}

TEST_F(OptionsTest, AnAgentWithTlsIsReachedByItsSocketOnly) {
  environment_["LIBPROCESS_SSL_ENABLED"] = "1";
  const auto options = read();
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().kind, base::ErrorKind::kUnsupported);
  environment_["MESOS_DOMAIN_SOCKET"] = "/run/agent.sock";
  EXPECT_TRUE(read());
}

}  // namespace
}  // namespace executors
