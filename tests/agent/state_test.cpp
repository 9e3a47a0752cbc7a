#include "agent/state.h"

#include <gtest/gtest.h>

#include "tests/agent/cluster.h"

namespace {

using agent::Executor;
using isolators::ContainerId;

TEST(State, FindsTheExecutorOfATree) {
  const agent::State state = tests::make_state();
  const ContainerId root = ContainerId::root_of("container-1");
  for (const auto& id : {root, root.child("nested")}) {
    const auto found = agent::find_executor(state, id);
    ASSERT_TRUE(found);
    EXPECT_EQ("framework-1", found.framework->info.id().value());
    EXPECT_EQ("executor-1", found.executor->info.executor_id().value());
  }
  EXPECT_FALSE(agent::find_executor(state, ContainerId::root_of("standalone")));
  // A completed one is none any more.
  EXPECT_FALSE(agent::find_executor(state, ContainerId::root_of("container-0")));
}

TEST(State, ATerminatedExecutorIsNotFoundAndHoldsNothing) {
  agent::State state = tests::make_state();
  state.frameworks.at("framework-1").executors.at("executor-1").state =
      Executor::State::kTerminated;
  EXPECT_FALSE(agent::find_executor(state, ContainerId::root_of("container-1")));
  // The pending task still does.
  ASSERT_EQ(1U, agent::allocated_resources(state).size());
}

TEST(State, AllocatedAreExecutorsAndTheirUnfinishedTasks) {
  const agent::State state = tests::make_state();
  const auto& executor = state.frameworks.at("framework-1").executors.at("executor-1");
  double cpus = 0;
  for (const auto& resource : agent::allocated_resources(executor)) {
    cpus += resource.scalar().value();
  }
  EXPECT_DOUBLE_EQ(0.1 + 0.25 + 0.5, cpus);  // itself, queued, launched
  cpus = 0;
  for (const auto& resource : agent::allocated_resources(state)) {
    cpus += resource.scalar().value();
  }
  EXPECT_DOUBLE_EQ(0.1 + 0.25 + 0.5 + 1, cpus);  // and pending
}

TEST(State, StagingTaskTellsWhatTheTaskInfoDoes) {
  mesos::v1::TaskInfo info = tests::make_task_info("task", 0.5);
  info.mutable_executor()->mutable_executor_id()->set_value("executor");
  info.mutable_executor()->mutable_command()->set_user("nobody");
  info.mutable_labels()->add_labels()->set_key("label");
  info.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(1);
  (*info.mutable_limits())["cpus"].set_value(2);
  mesos::v1::FrameworkID framework;
  framework.set_value("framework");
  const mesos::v1::Task task = agent::staging_task(info, framework);
  EXPECT_TRUE(task.IsInitialized());
  EXPECT_EQ("task", task.task_id().value());
  EXPECT_EQ("framework", task.framework_id().value());
  EXPECT_EQ("executor", task.executor_id().value());
  EXPECT_EQ(mesos::v1::TASK_STAGING, task.state());
  EXPECT_EQ("nobody", task.user());
  EXPECT_EQ(1, task.labels().labels_size());
  EXPECT_EQ(1, task.kill_policy().grace_period().nanoseconds());
  EXPECT_EQ(2, task.limits().at("cpus").value());
  EXPECT_EQ(1, task.resources_size());
  info.mutable_command()->set_user("root");
  EXPECT_EQ("root", agent::staging_task(info, framework).user());
}

}  // namespace
