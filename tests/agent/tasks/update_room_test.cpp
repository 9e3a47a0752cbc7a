// How much of what executors report is kept.

#include "agent/tasks/update_room.h"

#include "tests/agent/tasks/support.h"

namespace {

using namespace tests;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr size_t kMegabyte = 1024 * 1024;

class UpdateRoomTest : public TasksTest {
 protected:
  // What becomes of an update with so much of a message.
  base::Status try_to_report(const std::string& task_id, TaskState state, size_t size = 0,
                             const std::string& executor_id = "e") {
    Call update = call(executor_id);
    auto* status = update.mutable_update()->mutable_status();
    status->mutable_task_id()->set_value(task_id);
    status->set_state(state);
    status->set_source(TaskStatus::SOURCE_EXECUTOR);
    status->set_uuid(base::make_uuid_bytes());
    status->set_message(std::string(size, 'x'));
    return tasks_->update(update);
  }

  void invent_tasks(const std::string& prefix, const std::string& executor_id = "e") {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(
          try_to_report(prefix + std::to_string(i), mesos::v1::TASK_RUNNING, 0, executor_id));
    }
    const auto refused = try_to_report(prefix + "more", mesos::v1::TASK_RUNNING, 0, executor_id);
    ASSERT_FALSE(refused.has_value());
    EXPECT_THAT(refused.error().message, HasSubstr("tasks that the agent does not know"));
  }
};

TEST_F(UpdateRoomTest, TasksThatNobodyKnowsAreBoundedForEachExecutor) {
  launch("t");
  auto other = run_message("u");
  *other.mutable_task()->mutable_executor() = executor("other");
  tasks_->run_task(other);
  await_executor("other");
  subscribe(call("other"));
  invent_tasks("invented-");
  EXPECT_EQ(1U, agent_->state.counters.invalid_status_updates);
  EXPECT_THAT(story("invented-more"), IsEmpty());

  // Of those that are kept there may be more, and of the executor's own task; and others are not
  // concerned.
  EXPECT_TRUE(try_to_report("invented-0", mesos::v1::TASK_FAILED));
  EXPECT_TRUE(try_to_report("t", mesos::v1::TASK_RUNNING));
  invent_tasks("other-", "other");

  // There is room again when one has come to its end.
  acknowledge(updates()[0]);
  EXPECT_FALSE(try_to_report("invented-more", mesos::v1::TASK_RUNNING));
  const auto ended = updates().back();
  ASSERT_EQ(mesos::v1::TASK_FAILED, ended.status().state());
  acknowledge(ended);
  EXPECT_TRUE(try_to_report("invented-more", mesos::v1::TASK_RUNNING));
  EXPECT_FALSE(try_to_report("invented-too", mesos::v1::TASK_RUNNING));
}

TEST_F(UpdateRoomTest, WhatIsSaidOfTasksThatNobodyKnowsIsBoundedTogether) {
  launch("t");
  for (int i = 0; i < 15; ++i) {
    ASSERT_TRUE(try_to_report(std::to_string(i / 2), mesos::v1::TASK_RUNNING, kMegabyte));
  }
  EXPECT_FALSE(try_to_report("0", mesos::v1::TASK_FINISHED, kMegabyte));
  EXPECT_TRUE(try_to_report("0", mesos::v1::TASK_FINISHED));
}

TEST_F(UpdateRoomTest, WhatIsSaidOfATaskIsBoundedUpToItsEnd) {
  launch("t");
  for (int i = 0; i < 15; ++i) {
    ASSERT_TRUE(try_to_report("t", mesos::v1::TASK_RUNNING, kMegabyte));
  }
  const auto refused = try_to_report("t", mesos::v1::TASK_RUNNING, kMegabyte);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ("Too many updates of task 't' wait to be acknowledged", refused.error().message);
  acknowledge(updates()[0]);
  EXPECT_TRUE(try_to_report("t", mesos::v1::TASK_RUNNING, kMegabyte));
  EXPECT_FALSE(try_to_report("t", mesos::v1::TASK_RUNNING, kMegabyte));
  // The end is kept in any case, whoever says it, and nothing after it.
  EXPECT_TRUE(try_to_report("t", mesos::v1::TASK_FINISHED, kMegabyte));
  const size_t before = updates().size();
  EXPECT_TRUE(try_to_report("t", mesos::v1::TASK_FINISHED, kMegabyte));
  EXPECT_TRUE(try_to_report("t", mesos::v1::TASK_RUNNING, kMegabyte));
  EXPECT_EQ(before, updates().size());
}

TEST_F(UpdateRoomTest, ExecutorsThatDoNotExistHaveTheirBoundInCommon) {
  launch("t");
  const auto report_as = [this](int i) {
    internal::StatusUpdateMessage message;
    auto& update = *message.mutable_update();
    update.mutable_framework_id()->set_value("f");
    update.mutable_executor_id()->set_value("invented-" + std::to_string(i));
    update.mutable_slave_id()->set_value("S0");
    update.mutable_status()->mutable_task_id()->set_value("task-" + std::to_string(i));
    update.mutable_status()->set_state(mesos::v1::TASK_RUNNING);
    update.set_timestamp(1);
    update.set_uuid(base::make_uuid_bytes());
    tasks_->update_from_driver("executor(1)@127.0.0.1:1", message);
  };
  for (int i = 0; i < 110; ++i) report_as(i);
  EXPECT_EQ(100U, updates().size());
  EXPECT_EQ(10U, agent_->state.counters.invalid_status_updates);
}

// --- Alone, on streams that send nothing ---

class RoomTest : public LoopTest {
 protected:
  RoomTest() {
    framework_.info.mutable_id()->set_value("f");
    framework_.executors["e"].info.mutable_executor_id()->set_value("e");
  }

  // Whether there is room for an update of a task that nobody knows; if so, it waits from then on.
  bool try_to_add(const std::string& executor_id, const std::string& task_id) {
    internal::StatusUpdate update;
    *update.mutable_framework_id() = framework_.info.id();
    update.mutable_executor_id()->set_value(executor_id);
    update.mutable_status()->mutable_task_id()->set_value(task_id);
    update.mutable_status()->set_state(mesos::v1::TASK_RUNNING);
    update.set_timestamp(1);
    update.set_uuid(base::make_uuid_bytes());
    return room_.check(framework_, nullptr, update) && streams_.add(update, std::nullopt);
  }

  void fill(const std::string& executor_id) {
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(try_to_add(executor_id, executor_id + std::to_string(i)));
    }
    ASSERT_FALSE(try_to_add(executor_id, "more"));
  }

  agent::Framework framework_;
  agent::UpdateStreams streams_{[](const internal::StatusUpdate&) {}};
  agent::UpdateRoom room_{streams_};
};

TEST_F(RoomTest, WhatIsForgottenMakesRoom) {
  fill("e");
  fill("invented");
  room_.forget_framework("f");
  EXPECT_TRUE(try_to_add("invented", "of whoever comes with that id"));
  EXPECT_FALSE(try_to_add("e", "more"));
  room_.forget_executor({"f", "e"});
  EXPECT_TRUE(try_to_add("e", "more"));
}

}  // namespace
