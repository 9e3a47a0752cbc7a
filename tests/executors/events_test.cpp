#include "executors/events.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/mesos/v1/executor/executor.pb.h"

namespace executors {
namespace {

using namespace std::chrono_literals;
using Message = mesos::v1::executor::Event;

mesos::v1::TaskInfo small_task() {
  mesos::v1::TaskInfo task;
  task.set_name("name");
  task.mutable_task_id()->set_value("task");
  task.mutable_agent_id()->set_value("agent");
  return task;
}

TaskSpec parse_task(const mesos::v1::TaskInfo& task) {
  Message message;
  message.set_type(Message::LAUNCH);
  *message.mutable_launch()->mutable_task() = task;
  const auto event = parse_event(message.SerializeAsString());
  EXPECT_TRUE(event && event->type == Event::Type::kLaunch && event->task);
  return *event->task;
}

TEST(EventsTest, Subscribed) {
  for (const bool killing : {false, true}) {
    Message message;
    message.set_type(Message::SUBSCRIBED);
    auto& subscribed = *message.mutable_subscribed();
    subscribed.mutable_executor_info()->mutable_executor_id()->set_value("e");
    auto& framework = *subscribed.mutable_framework_info();
    framework.set_user("root");
    framework.set_name("f");
    framework.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
    if (killing) {
      framework.add_capabilities()->set_type(
          mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE);
    }
    subscribed.mutable_agent_info()->set_hostname("h");
    const auto event = parse_event(message.SerializeAsString());
    ASSERT_TRUE(event);
    EXPECT_EQ(event->type, Event::Type::kSubscribed);
    EXPECT_EQ(event->task_killing_state, killing);
  }
}

TEST(EventsTest, LaunchOfWhatSaysLittle) {
  mesos::v1::TaskInfo task = small_task();
  task.mutable_command()->set_value("exit 0");
  const TaskSpec spec = parse_task(task);
  EXPECT_EQ(spec.id, "task");
  EXPECT_EQ(spec.raw, task.SerializeAsString());
  ASSERT_TRUE(spec.command);
  EXPECT_TRUE(spec.command->shell);
  EXPECT_EQ(spec.command->value, "exit 0");
  EXPECT_FALSE(spec.check || spec.health_check || spec.kill_grace_period ||
               spec.max_completion_time || spec.tty);
  EXPECT_EQ(spec.allocation_role, "");
}

TEST(EventsTest, LaunchOfWhatSaysEverything) {
  mesos::v1::TaskInfo task = small_task();
  for (const char* role : {"first", "second"}) {
    auto& resource = *task.add_resources();
    resource.set_name("cpus");
    resource.set_type(mesos::v1::Value::SCALAR);
    resource.mutable_scalar()->set_value(1);
    resource.mutable_allocation_info()->set_role(role);
  }
  auto& command = *task.mutable_command();
  command.set_shell(false);
  command.set_value("/bin/echo");
  command.add_arguments("echo");
  command.add_arguments("");
  command.add_uris()->set_value("http://example.com");
  auto& variable = *command.mutable_environment()->add_variables();
  variable.set_name("NAME");
  variable.set_value("value");
  auto& secret = *command.mutable_environment()->add_variables();
  secret.set_name("SECRET");
  secret.set_type(mesos::v1::Environment::Variable::SECRET);
  task.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
  task.mutable_container()->mutable_tty_info();
  task.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(1'500'000'000);
  task.mutable_max_completion_time()->set_nanoseconds(7);
  task.set_data("data");

  const TaskSpec spec = parse_task(task);
  EXPECT_EQ(spec.allocation_role, "first");
  EXPECT_FALSE(spec.command->shell);
  EXPECT_EQ(spec.command->value, "/bin/echo");
  EXPECT_EQ(spec.command->arguments, (std::vector<std::string>{"echo", ""}));
  ASSERT_EQ(spec.command->environment.size(), 1);
  EXPECT_EQ(spec.command->environment[0].name, "NAME");
  EXPECT_EQ(spec.command->environment[0].value, "value");
  EXPECT_TRUE(spec.tty);
  EXPECT_EQ(spec.kill_grace_period, 1500ms);
  EXPECT_EQ(spec.max_completion_time, 7ns);
}

TEST(EventsTest, Checks) {
  mesos::v1::TaskInfo task = small_task();
  auto& check = *task.mutable_check();
  check.set_type(mesos::v1::CheckInfo::HTTP);
  check.mutable_http()->set_port(8080);
  check.mutable_http()->set_path("/health");
  check.set_delay_seconds(0.5);
  check.set_timeout_seconds(0);
  const auto spec = *parse_task(task).check;
  EXPECT_EQ(spec.probe.kind, CheckKind::kHttp);
  EXPECT_EQ(spec.probe.port, 8080);
  EXPECT_EQ(spec.probe.path, "/health");
  EXPECT_EQ(spec.probe.scheme, "http");
  EXPECT_EQ(spec.delay, 500ms);
  EXPECT_EQ(spec.interval, 10s);  // the default
  EXPECT_EQ(spec.timeout, 0s);

  check.set_type(mesos::v1::CheckInfo::COMMAND);
  check.mutable_command()->mutable_command()->set_value("exit 1");
  EXPECT_EQ(parse_task(task).check->probe.command.value, "exit 1");

  check.set_type(mesos::v1::CheckInfo::TCP);
  check.clear_http();
  check.mutable_tcp()->set_port(22);
  EXPECT_EQ(parse_task(task).check->probe.kind, CheckKind::kTcp);
  EXPECT_EQ(parse_task(task).check->probe.port, 22);
}

TEST(EventsTest, HealthChecks) {
  mesos::v1::TaskInfo task = small_task();
  auto& check = *task.mutable_health_check();
  check.set_type(mesos::v1::HealthCheck::HTTP);
  auto& http = *check.mutable_http();
  http.set_port(443);
  http.set_scheme("https");
  http.set_protocol(mesos::v1::NetworkInfo::IPv6);
  const auto defaults = *parse_task(task).health_check;
  EXPECT_EQ(defaults.probe.kind, CheckKind::kHttp);
  EXPECT_EQ(defaults.probe.scheme, "https");
  EXPECT_TRUE(defaults.probe.ipv6);
  EXPECT_EQ(defaults.delay, 15s);
  EXPECT_EQ(defaults.interval, 10s);
  EXPECT_EQ(defaults.timeout, 20s);
  EXPECT_EQ(defaults.grace_period, 10s);
  EXPECT_EQ(defaults.consecutive_failures, 3);

  check.clear_http();
  check.set_type(mesos::v1::HealthCheck::COMMAND);
  check.mutable_command()->set_value("true");
  check.set_delay_seconds(1);
  check.set_interval_seconds(2);
  check.set_timeout_seconds(3);
  check.set_grace_period_seconds(4);
  check.set_consecutive_failures(5);
  const auto spec = *parse_task(task).health_check;
  EXPECT_EQ(spec.probe.command.value, "true");
  EXPECT_EQ(spec.delay, 1s);
  EXPECT_EQ(spec.interval, 2s);
  EXPECT_EQ(spec.timeout, 3s);
  EXPECT_EQ(spec.grace_period, 4s);
  EXPECT_EQ(spec.consecutive_failures, 5);
}

TEST(EventsTest, SecondsThatNoClockCanCount) {
  mesos::v1::TaskInfo task = small_task();
  auto& check = *task.mutable_check();
  check.set_delay_seconds(1e300);
  check.set_interval_seconds(-1);
  check.set_timeout_seconds(std::numeric_limits<double>::quiet_NaN());
  const auto spec = *parse_task(task).check;
  EXPECT_GT(spec.delay, 24h * 365);
  EXPECT_EQ(spec.interval, 0s);
  EXPECT_EQ(spec.timeout, 0s);
}

TEST(EventsTest, KillAcknowledgedErrorAndTheOnesWithoutContent) {
  Message kill;
  kill.set_type(Message::KILL);
  kill.mutable_kill()->mutable_task_id()->set_value("task");
  auto event = parse_event(kill.SerializeAsString());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->task_id, "task");
  EXPECT_FALSE(event->kill_grace_period);
  kill.mutable_kill()->mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(0);
  event = parse_event(kill.SerializeAsString());
  EXPECT_EQ(event->kill_grace_period, 0s);

  Message acknowledged;
  acknowledged.set_type(Message::ACKNOWLEDGED);
  acknowledged.mutable_acknowledged()->mutable_task_id()->set_value("task");
  acknowledged.mutable_acknowledged()->set_uuid(std::string(16, '\0'));
  event = parse_event(acknowledged.SerializeAsString());
  ASSERT_TRUE(event);
  EXPECT_EQ(event->type, Event::Type::kAcknowledged);
  EXPECT_EQ(event->uuid, std::string(16, '\0'));

  Message error;
  error.set_type(Message::ERROR);
  error.mutable_error()->set_message("no");
  EXPECT_EQ(parse_event(error.SerializeAsString())->message, "no");

  for (const auto type : {Message::SHUTDOWN, Message::HEARTBEAT, Message::LAUNCH_GROUP}) {
    Message message;
    message.set_type(type);
    EXPECT_EQ(static_cast<int>(parse_event(message.SerializeAsString())->type), type);
  }
}

TEST(EventsTest, WhatIsNoEvent) {
  EXPECT_FALSE(parse_event("\x0a"));
  EXPECT_FALSE(parse_event("\x08\x02"));                            // LAUNCH of nothing
  EXPECT_EQ(parse_event("\x08\x63")->type, Event::Type::kUnknown);  // from a later agent
  EXPECT_EQ(parse_event("")->type, Event::Type::kUnknown);

  // A task that is cut off anywhere is an error or has lost whole fields, and never more than that.
  Message message;
  message.set_type(Message::LAUNCH);
  *message.mutable_launch()->mutable_task() = small_task();
  message.mutable_launch()->mutable_task()->mutable_check()->mutable_command()->mutable_command();
  const std::string bytes = message.SerializeAsString();
  for (size_t size = 3; size < bytes.size(); ++size)
    EXPECT_FALSE(parse_event(bytes.substr(0, size)));
}

}  // namespace
}  // namespace executors
