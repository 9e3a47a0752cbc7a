#include "executors/calls.h"

#include <gtest/gtest.h>

#include <string>

#include "proto/mesos/v1/executor/executor.pb.h"

namespace executors {
namespace {

using mesos::v1::executor::Call;

const CallHeader kHeader{.executor_id = "executor", .framework_id = "framework"};

Call parse(const std::string& bytes) {
  Call call;
  EXPECT_TRUE(call.ParseFromString(bytes));
  EXPECT_EQ(call.SerializeAsString(), bytes);  // no unknown field, and the order of the numbers
  EXPECT_EQ(call.executor_id().value(), "executor");
  EXPECT_EQ(call.framework_id().value(), "framework");
  return call;
}

TaskStatus small_status() {
  return {.task_id = "task",
          .executor_id = "executor",
          .state = TaskState::kStarting,
          .timestamp = 1795254976.822994,
          .uuid = std::string("0123456789\0abcde", 16)};
}

TEST(CallsTest, UpdateOfWhatSaysLittle) {
  const TaskStatus status = small_status();
  const Call call = parse(encode_update(kHeader, encode_status(status)));
  EXPECT_EQ(call.type(), Call::UPDATE);
  const auto& sent = call.update().status();
  EXPECT_EQ(sent.task_id().value(), "task");
  EXPECT_EQ(sent.executor_id().value(), "executor");
  EXPECT_EQ(sent.state(), mesos::v1::TASK_STARTING);
  EXPECT_EQ(sent.source(), mesos::v1::TaskStatus::SOURCE_EXECUTOR);
  EXPECT_EQ(sent.timestamp(), status.timestamp);
  EXPECT_EQ(sent.uuid(), status.uuid);
  EXPECT_FALSE(sent.has_message() || sent.has_reason() || sent.has_healthy() ||
               sent.has_check_status() || sent.has_agent_id());
}

TEST(CallsTest, UpdateOfWhatSaysEverything) {
  TaskStatus status = small_status();
  status.state = TaskState::kFailed;
  status.message = "message";
  status.reason = Reason::kMaxCompletionTimeReached;
  status.healthy = false;
  status.check_result = CheckResult{.kind = CheckKind::kCommand, .value = -1};
  const auto sent = parse(encode_update(kHeader, encode_status(status))).update().status();
  EXPECT_EQ(sent.state(), mesos::v1::TASK_FAILED);
  EXPECT_EQ(sent.message(), "message");
  EXPECT_EQ(sent.reason(), mesos::v1::TaskStatus::REASON_MAX_COMPLETION_TIME_REACHED);
  EXPECT_TRUE(sent.has_healthy());
  EXPECT_FALSE(sent.healthy());
  EXPECT_EQ(sent.check_status().type(), mesos::v1::CheckInfo::COMMAND);
  EXPECT_EQ(sent.check_status().command().exit_code(), -1);
}

TEST(CallsTest, CheckStatusOfEachKind) {
  TaskStatus status = small_status();
  const auto check_status = [&](CheckKind kind, std::optional<int32_t> value) {
    status.check_result = CheckResult{.kind = kind, .value = value};
    return parse(encode_update(kHeader, encode_status(status))).update().status().check_status();
  };
  auto sent = check_status(CheckKind::kCommand, std::nullopt);
  EXPECT_TRUE(sent.has_command());
  EXPECT_FALSE(sent.command().has_exit_code() || sent.has_http() || sent.has_tcp());
  sent = check_status(CheckKind::kHttp, std::nullopt);
  EXPECT_TRUE(sent.has_http());
  EXPECT_FALSE(sent.http().has_status_code());
  EXPECT_EQ(check_status(CheckKind::kHttp, 404).http().status_code(), 404);
  EXPECT_TRUE(check_status(CheckKind::kTcp, 1).tcp().succeeded());
  sent = check_status(CheckKind::kTcp, 0);
  EXPECT_TRUE(sent.tcp().has_succeeded());
  EXPECT_FALSE(sent.tcp().succeeded());
}

TEST(CallsTest, States) {
  const std::pair<TaskState, mesos::v1::TaskState> states[] = {
      {TaskState::kStarting, mesos::v1::TASK_STARTING},
      {TaskState::kRunning, mesos::v1::TASK_RUNNING},
      {TaskState::kFinished, mesos::v1::TASK_FINISHED},
      {TaskState::kFailed, mesos::v1::TASK_FAILED},
      {TaskState::kKilled, mesos::v1::TASK_KILLED},
      {TaskState::kKilling, mesos::v1::TASK_KILLING}};
  for (const auto& [ours, theirs] : states) EXPECT_EQ(static_cast<int>(ours), theirs);
  EXPECT_EQ(static_cast<int>(Reason::kTaskCheckStatusUpdated),
            mesos::v1::TaskStatus::REASON_TASK_CHECK_STATUS_UPDATED);
  EXPECT_EQ(static_cast<int>(Reason::kTaskHealthCheckStatusUpdated),
            mesos::v1::TaskStatus::REASON_TASK_HEALTH_CHECK_STATUS_UPDATED);
}

TEST(CallsTest, Subscribe) {
  const Call empty = parse(encode_subscribe(kHeader, {}, {}));
  EXPECT_EQ(empty.type(), Call::SUBSCRIBE);
  EXPECT_TRUE(empty.has_subscribe());

  mesos::v1::TaskInfo task;
  task.set_name("name");
  task.mutable_task_id()->set_value("task");
  task.mutable_agent_id()->set_value("agent");
  const std::string raw_task = task.SerializeAsString();
  const std::string status = encode_status(small_status());
  const std::string_view tasks[] = {raw_task};
  const std::string_view statuses[] = {status, status};
  const Call call = parse(encode_subscribe(kHeader, tasks, statuses));
  ASSERT_EQ(call.subscribe().unacknowledged_tasks_size(), 1);
  EXPECT_EQ(call.subscribe().unacknowledged_tasks(0).SerializeAsString(), raw_task);
  ASSERT_EQ(call.subscribe().unacknowledged_updates_size(), 2);
  EXPECT_EQ(call.subscribe().unacknowledged_updates(1).status().SerializeAsString(), status);
}

TEST(CallsTest, Heartbeat) { EXPECT_EQ(parse(encode_heartbeat(kHeader)).type(), Call::HEARTBEAT); }

}  // namespace
}  // namespace executors
