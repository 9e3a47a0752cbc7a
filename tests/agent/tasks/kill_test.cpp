// Kills, shutdowns and ends.

#include "tests/agent/tasks/support.h"

namespace {

using namespace tests;
using testing::ElementsAre;
using testing::IsEmpty;

class KillTest : public TasksTest {
 protected:
  void shut_down_executor() {
    internal::ShutdownExecutorMessage message;
    message.mutable_framework_id()->set_value("f");
    message.mutable_executor_id()->set_value("e");
    tasks_->shut_down_executor(message);
  }
  void shut_down_framework() {
    internal::ShutdownFrameworkMessage message;
    message.mutable_framework_id()->set_value("f");
    tasks_->shut_down_framework(message);
  }
};

TEST_F(KillTest, APendingTaskIsKilledBeforeItIsLaunched) {
  tasks_->run_task(run_message("t"));
  tasks_->kill_task(kill_message("t"));
  EXPECT_THAT(story("t"), ElementsAre("TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH"));
  await([&] { return count_posted("ExitedExecutorMessage") == 1; });
  EXPECT_TRUE(agent_->state.frameworks.empty());
}

TEST_F(KillTest, APendingGroupIsKilledAsAWhole) {
  tasks_->run_task_group(group_message({"g1", "g2"}));
  tasks_->kill_task(kill_message("g2"));
  for (const auto* member : {"g1", "g2"}) {
    EXPECT_THAT(story(member), ElementsAre("TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH"));
  }
}

TEST_F(KillTest, AQueuedTaskIsKilledAndItsExecutorEndsWhenItComes) {
  tasks_->run_task(run_message("t"));
  await_executor();
  tasks_->kill_task(kill_message("t"));
  EXPECT_THAT(story("t"), ElementsAre("TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH"));
  EXPECT_EQ(agent::Executor::State::kRegistering, find_executor()->state);
  subscribe();
  EXPECT_THAT(event_names(), ElementsAre("SHUTDOWN"));
  await([&] { return count_posted("ExitedExecutorMessage") == 1; });
}

TEST_F(KillTest, AQueuedGroupIsKilledAsAWhole) {
  tasks_->run_task_group(group_message({"g1", "g2"}));
  await_executor();
  tasks_->kill_task(kill_message("g1"));
  for (const auto* member : {"g1", "g2"}) {
    EXPECT_THAT(story(member), ElementsAre("TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH"));
  }
  EXPECT_TRUE(find_executor()->queued_groups.empty());
}

TEST_F(KillTest, ALaunchedTaskIsKilledByItsExecutor) {
  launch("t");
  auto message = kill_message("t");
  message.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(7);
  tasks_->kill_task(message);
  const auto told = events();
  ASSERT_EQ(1U, told.size());
  EXPECT_EQ(Event::KILL, told[0].type());
  EXPECT_EQ("t", told[0].kill().task_id().value());
  EXPECT_EQ(7, told[0].kill().kill_policy().grace_period().nanoseconds());
  EXPECT_THAT(story("t"), IsEmpty());
}

TEST_F(KillTest, ATaskThatNobodyHasIsDropped) {
  launch("t");
  tasks_->kill_task(kill_message("other"));
  EXPECT_THAT(story("other"), ElementsAre("TASK_DROPPED REASON_EXECUTOR_TERMINATED"));
}

TEST_F(KillTest, OfAnUnknownFrameworkNothingIsSaid) {
  tasks_->kill_task(kill_message("t"));
  EXPECT_TRUE(posted_.empty());
}

TEST_F(KillTest, AnExecutorThatDiesFailsItsTasks) {
  launch("t1");
  tasks_->run_task(run_message("t2", false));
  report("t1", mesos::v1::TASK_RUNNING);
  kill_container();
  await_story("t2");
  // The first update of t1 is not acknowledged yet, so its second waits.
  EXPECT_THAT(story("t2"), ElementsAre("TASK_FAILED REASON_EXECUTOR_TERMINATED"));
  EXPECT_THAT(story("t1"), ElementsAre("TASK_RUNNING"));
  EXPECT_EQ(1U, count_posted("ExitedExecutorMessage"));
  const auto first = updates()[0];
  acknowledge(first);
  EXPECT_THAT(story("t1"), ElementsAre("TASK_RUNNING", "TASK_FAILED REASON_EXECUTOR_TERMINATED"));
  EXPECT_EQ(1U, agent_->state.counters.executors_terminated);
  EXPECT_EQ(2U, agent_->state.counters.tasks_failed);
}

TEST_F(KillTest, AnExecutorIsAskedToEndAndThenKilled) {
  launch("t");
  shut_down_executor();
  EXPECT_EQ(agent::Executor::State::kTerminating, find_executor()->state);
  EXPECT_THAT(event_names(), ElementsAre("SHUTDOWN"));
  // The executor (sleep) does not listen. It may still report until it is killed.
  report("t", mesos::v1::TASK_KILLED);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED"));
  await([&] { return find_executor()->state == agent::Executor::State::kTerminated; });
  EXPECT_THAT(story("t"), ElementsAre("TASK_KILLED"));
}

TEST_F(KillTest, OfAFrameworkThatIsShutDownNothingIsHeard) {
  launch("t");
  report("t", mesos::v1::TASK_RUNNING);
  shut_down_framework();
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED", "SHUTDOWN"));
  report("t", mesos::v1::TASK_KILLED);
  EXPECT_EQ(1U, agent_->state.counters.invalid_status_updates);
  await([&] { return agent_->state.frameworks.empty(); });
  EXPECT_THAT(story("t"), ElementsAre("TASK_RUNNING"));
}

TEST_F(KillTest, AFrameworkThatIsShutDownForgetsWhatIsPending) {
  tasks_->run_task(run_message("t"));
  shut_down_framework();
  await([&] { return agent_->state.frameworks.empty(); });
  settle();
  EXPECT_THAT(story("t"), IsEmpty());
}

TEST_F(KillTest, DrainingEndsWhenNothingIsLeft) {
  launch("t");
  internal::DrainSlaveMessage drain;
  drain.mutable_config()->mutable_max_grace_period()->set_nanoseconds(5);
  drain.mutable_config()->set_mark_gone(true);
  tasks_->drain(drain);
  EXPECT_TRUE(base::path_exists(paths().drain_config()));
  const auto told = events();
  ASSERT_EQ(1U, told.size());
  EXPECT_EQ(5, told[0].kill().kill_policy().grace_period().nanoseconds());
  tasks_->operations_changed({});
  EXPECT_TRUE(agent_->state.drain_config) << "a task is left";
  report("t", mesos::v1::TASK_KILLED);
  EXPECT_THAT(story("t"), ElementsAre("TASK_GONE_BY_OPERATOR REASON_AGENT_DRAINING"));
  shut_down_executor();
  await([&] { return find_executor()->state == agent::Executor::State::kTerminated; });
  acknowledge(updates()[0]);
  EXPECT_FALSE(agent_->state.drain_config);
  EXPECT_FALSE(base::path_exists(paths().drain_config()));
}

TEST_F(KillTest, WithNothingToDrainNothingIsRefusedLater) {
  internal::DrainSlaveMessage drain;
  drain.mutable_config();
  tasks_->drain(drain);
  EXPECT_FALSE(agent_->state.drain_config);
  EXPECT_FALSE(base::path_exists(paths().drain_config()));
}

// As after a restart: what was to be drained has ended meanwhile, and the master asks again.
TEST_F(KillTest, ADrainWhoseTasksAreGoneEndsWhenAskedForAgain) {
  agent_->state.drain_config.emplace();
  ASSERT_TRUE(agent::checkpoint_drain(paths(), *agent_->state.drain_config));
  tasks_->drain({});
  EXPECT_FALSE(agent_->state.drain_config);
  EXPECT_FALSE(base::path_exists(paths().drain_config()));
}

TEST_F(KillTest, TheAgentsStopEndsWhatNoOtherRunWouldKnowOf) {
  launch("t", true, false);
  run(tasks_->end_uncheckpointed());
  EXPECT_TRUE(agent_->state.frameworks.empty());
}

TEST_F(KillTest, TheAgentsStopLeavesWhatIsCheckpointed) {
  launch("t");
  run(tasks_->end_uncheckpointed());
  EXPECT_THAT(event_names(), IsEmpty());
}

TEST_F(KillTest, TheAgentsEndEndsAll) {
  launch("t");
  tasks_->shut_down();
  EXPECT_THAT(event_names(), ElementsAre("SHUTDOWN"));
  run(tasks_->all_gone());
  EXPECT_TRUE(agent_->state.frameworks.empty());
}

}  // namespace
