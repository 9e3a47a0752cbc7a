// What ends an executor's container is why its tasks have failed.

#include "tests/agent/tasks/support.h"

namespace {

using namespace tests;
using testing::ElementsAre;

class LimitationTest : public TasksTest, public testing::WithParamInterface<TaskStatus::Reason> {};

TEST_P(LimitationTest, FailsEveryTaskOfTheExecutor) {
  mesos::v1::Resource limited;
  limited.set_name("limited");
  limited.set_type(mesos::v1::Value::SCALAR);
  limited.mutable_scalar()->set_value(1);
  isolation_.limitation = {GetParam(), "It was too much", {limited}};
  tasks_->run_task_group(group_message({"t1", "t2"}));
  await_story("t2");
  const std::string line = "TASK_FAILED " + TaskStatus::Reason_Name(GetParam());
  EXPECT_THAT(story("t1"), ElementsAre(line));
  EXPECT_THAT(story("t2"), ElementsAre(line));
  for (const auto& update : updates()) {
    const auto& status = update.status();
    EXPECT_EQ("It was too much", status.message());
    EXPECT_EQ(TaskStatus::SOURCE_AGENT, status.source());
    ASSERT_EQ(1, status.limitation().resources_size());
    EXPECT_EQ("limited", status.limitation().resources(0).name());
  }
}

INSTANTIATE_TEST_SUITE_P(All, LimitationTest,
                         testing::Values(TaskStatus::REASON_CONTAINER_LIMITATION,
                                         TaskStatus::REASON_CONTAINER_LIMITATION_DISK,
                                         TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY,
                                         TaskStatus::REASON_IO_SWITCHBOARD_EXITED),
                         [](const auto& info) { return TaskStatus::Reason_Name(info.param); });

}  // namespace
