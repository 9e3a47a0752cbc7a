// Executors that come, come back, or are made with the driver; and the agent's own restarts.

#include "tests/agent/tasks/support.h"

namespace {

using namespace tests;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kDriver[] = "executor(1)@127.0.0.1:1";

class ConnectionsTest : public TasksTest {
 protected:
  template <typename Message>
  static Message of_executor() {
    Message message;
    message.mutable_framework_id()->set_value("f");
    message.mutable_executor_id()->set_value("e");
    return message;
  }

  std::vector<std::string> posted_to_driver() {
    std::vector<std::string> names;
    for (const auto& posted : std::exchange(posted_, {})) {
      if (posted.to == kDriver) names.push_back(posted.name.substr(sizeof("mesos.internal")));
    }
    return names;
  }

  mesos::v1::executor::Call::Update unacknowledged(const std::string& task, TaskState state) {
    mesos::v1::executor::Call::Update update;
    update.mutable_status()->mutable_task_id()->set_value(task);
    update.mutable_status()->set_state(state);
    update.mutable_status()->set_uuid(base::make_uuid_bytes());
    return update;
  }
};

TEST_F(ConnectionsTest, ASecondStreamTakesThePlaceOfTheFirst) {
  launch("t");
  const auto first = streams_.at("e");
  Call again = call();
  *again.mutable_subscribe()->add_unacknowledged_tasks() = task("t");
  subscribe(again);
  EXPECT_FALSE(run(first->take()).has_value());
  EXPECT_THAT(event_names(), ElementsAre("SUBSCRIBED"));
  EXPECT_EQ(agent::Executor::State::kRunning, find_executor()->state);
}

TEST_F(ConnectionsTest, WhatTheExecutorDoesNotKnowOfIsDropped) {
  launch("t");
  subscribe();
  EXPECT_THAT(story("t"), ElementsAre("TASK_DROPPED REASON_AGENT_RESTARTED"));
}

TEST_F(ConnectionsTest, UpdatesThatWereNotAcknowledgedComeAgain) {
  launch("t");
  Call again = call();
  *again.mutable_subscribe()->add_unacknowledged_updates() =
      unacknowledged("t", mesos::v1::TASK_FINISHED);
  subscribe(again);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED", "SUBSCRIBED"));
  EXPECT_THAT(story("t"), ElementsAre("TASK_FINISHED"));
}

TEST_F(ConnectionsTest, AnExecutorThatIsEndingIsToldSo) {
  launch("t");
  tasks_->shut_down();
  subscribe();
  EXPECT_THAT(event_names(), ElementsAre("SHUTDOWN"));
  run(tasks_->all_gone());
}

// --- The driver ---

TEST_F(ConnectionsTest, ADriverIsPostedItsTasks) {
  tasks_->run_task(run_message("t"));
  await_executor();
  tasks_->register_executor(kDriver, of_executor<internal::RegisterExecutorMessage>());
  EXPECT_THAT(posted_to_driver(), ElementsAre("ExecutorRegisteredMessage", "RunTaskMessage"));
  tasks_->kill_task(kill_message("t"));
  EXPECT_THAT(posted_to_driver(), ElementsAre("KillTaskMessage"));

  internal::StatusUpdateMessage message;
  auto& update = *message.mutable_update();
  update.mutable_framework_id()->set_value("f");
  update.mutable_executor_id()->set_value("e");
  update.mutable_slave_id()->set_value("S0");
  update.set_timestamp(1);
  update.set_uuid(base::make_uuid_bytes());
  update.mutable_status()->mutable_task_id()->set_value("t");
  update.mutable_status()->set_state(mesos::v1::TASK_KILLED);
  tasks_->update_from_driver(kDriver, message);
  EXPECT_THAT(story("t"), ElementsAre("TASK_KILLED"));
  EXPECT_THAT(posted_to_driver(), ElementsAre("StatusUpdateAcknowledgementMessage"));

  auto data = of_executor<internal::FrameworkToExecutorMessage>();
  data.mutable_slave_id()->set_value("S0");
  data.set_data("x");
  tasks_->message_to_executor(data);
  EXPECT_THAT(posted_to_driver(), ElementsAre("FrameworkToExecutorMessage"));
  // Twice is once too often.
  tasks_->register_executor(kDriver, of_executor<internal::RegisterExecutorMessage>());
  EXPECT_THAT(posted_to_driver(), ElementsAre("ShutdownExecutorMessage"));
}

TEST_F(ConnectionsTest, ADriverCannotTakeGroups) {
  tasks_->run_task(run_message("t"));
  tasks_->run_task_group(group_message({"g1", "g2"}, false));
  await([&] { return find_executor() != nullptr && find_executor()->queued_tasks.size() == 3; });
  tasks_->register_executor(kDriver, of_executor<internal::RegisterExecutorMessage>());
  EXPECT_THAT(story("g1"), ElementsAre("TASK_DROPPED REASON_TASK_INVALID"));
  EXPECT_THAT(story("g2"), ElementsAre("TASK_DROPPED REASON_TASK_INVALID"));
  EXPECT_THAT(posted_to_driver(), ElementsAre("ExecutorRegisteredMessage", "RunTaskMessage"));
}

// An executor that does not read loses messages; rather than anything else it loses its stream.
TEST_F(ConnectionsTest, WhatWaitsForAnExecutorIsBounded) {
  launch("t");
  internal::FrameworkToExecutorMessage message;
  message.mutable_slave_id()->set_value("S0");
  message.mutable_framework_id()->set_value("f");
  message.mutable_executor_id()->set_value("e");
  message.set_data(std::string(agent::EventStream::kMostBytes / 2 - 1000, 'x'));
  for (int i = 0; i < 4; ++i) tasks_->message_to_executor(message);
  message.set_data("x");
  for (int i = 0; i < 1000; ++i) tasks_->message_to_executor(message);
  tasks_->kill_task(kill_message("t"));
  const auto told = event_names();
  EXPECT_GT(told.size(), 100U);
  EXPECT_LT(told.size(), 1000U);
  EXPECT_THAT(told, testing::Each("MESSAGE"));
  EXPECT_FALSE(run(streams_.at("e")->take()).has_value());
}

TEST_F(ConnectionsTest, ADriverThatNobodyKnowsIsShutDown) {
  tasks_->register_executor(kDriver, of_executor<internal::RegisterExecutorMessage>());
  EXPECT_THAT(posted_to_driver(), ElementsAre("ShutdownExecutorMessage"));
}

TEST_F(ConnectionsTest, ADriverIsCalledAfterARestart) {
  tasks_->run_task(run_message("t"));
  await_executor();
  tasks_->register_executor(kDriver, of_executor<internal::RegisterExecutorMessage>());
  restart();
  EXPECT_THAT(posted_to_driver(), ElementsAre("ReconnectExecutorMessage"));
  auto message = of_executor<internal::ReregisterExecutorMessage>();
  *message.add_tasks() = task("t");
  tasks_->reregister_executor(kDriver, message);
  EXPECT_THAT(posted_to_driver(), ElementsAre("ExecutorReregisteredMessage"));
  await([&] { return recovery_.size() == 0; });
  EXPECT_EQ(agent::Executor::State::kRunning, find_executor()->state);
}

// --- Restarts ---

TEST_F(ConnectionsTest, AfterARestartNothingIsLost) {
  launch("t");
  report("t", mesos::v1::TASK_STARTING);
  report("t", mesos::v1::TASK_RUNNING);
  const auto first = updates()[0];
  acknowledge(first);
  const auto second = updates()[1];
  const auto container = find_executor()->container_id;
  restart();
  EXPECT_EQ(agent::Executor::State::kRegistering, find_executor()->state);
  EXPECT_EQ(container, find_executor()->container_id);
  Call again = call();
  *again.mutable_subscribe()->add_unacknowledged_updates() =
      unacknowledged("t", mesos::v1::TASK_FINISHED);
  subscribe(again);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED", "SUBSCRIBED"));
  await([&] { return recovery_.size() == 0; });
  EXPECT_FALSE(agent_->state.recovering);
  connect();
  ASSERT_THAT(story("t"), ElementsAre("TASK_RUNNING"));
  EXPECT_EQ(second.uuid(), updates()[0].uuid());
  EXPECT_EQ(mesos::v1::TASK_FINISHED, updates()[0].latest_state());
  acknowledge(updates()[0]);
  EXPECT_THAT(story("t"), ElementsAre("TASK_RUNNING", "TASK_FINISHED"));
}

TEST_F(ConnectionsTest, WhoDoesNotComeBackIsGone) {
  flags_ = {"--executor_reregistration_timeout=50ms"};
  launch("t");
  report("t", mesos::v1::TASK_RUNNING);
  acknowledge(updates()[0]);
  restart();
  await([&] { return recovery_.size() == 0; });
  connect();
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_GONE REASON_EXECUTOR_REREGISTRATION_TIMEOUT"));
}

TEST_F(ConnectionsTest, WhoDiedMeanwhileFailsItsTasks) {
  launch("t");
  report("t", mesos::v1::TASK_RUNNING);
  acknowledge(updates()[0]);
  const pid_t pid = agent_->containers.find(find_executor()->container_id)->pid();
  crash_tasks();
  agent_.reset();
  ::kill(pid, SIGKILL);
  posted_.clear();
  start();
  auto recovered = agent::recover_meta(options_.work_dir, true);
  ASSERT_TRUE(recovered.has_value());
  agent_->info = *recovered->info;
  agent_->state.recovering = true;
  run(tasks_->recover(*std::move(recovered)));
  connect();
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_FAILED REASON_EXECUTOR_TERMINATED"));
  acknowledge(updates()[0]);
  EXPECT_TRUE(agent_->state.frameworks.empty());
}

TEST_F(ConnectionsTest, FrameworksWithoutCheckpointsAreForgotten) {
  launch("t", true, false);
  report("t", mesos::v1::TASK_RUNNING);
  restart();
  await([&] { return recovery_.size() == 0; });
  EXPECT_TRUE(agent_->state.frameworks.empty());
  internal::ReregisterSlaveMessage message;
  tasks_->describe_for(&message);
  EXPECT_EQ(0, message.frameworks_size());
}

TEST_F(ConnectionsTest, ADrainThatWasDoneWhenTheAgentWasKilledIsDone) {
  mesos::v1::DrainConfig config;
  ASSERT_TRUE(agent::checkpoint_drain(paths(), config));
  restart();
  await([&] { return recovery_.size() == 0; });
  EXPECT_FALSE(agent_->state.drain_config);
  EXPECT_FALSE(base::path_exists(paths().drain_config()));
}

TEST_F(ConnectionsTest, WhatIsDoneIsDoneAfterARestartToo) {
  launch("t");
  report("t", mesos::v1::TASK_FINISHED);
  acknowledge(updates()[0]);
  kill_container();
  await([&] { return agent_->state.frameworks.empty(); });
  restart();
  await([&] { return recovery_.size() == 0; });
  connect();
  EXPECT_TRUE(agent_->state.frameworks.empty());
  EXPECT_THAT(story("t"), IsEmpty());
}

// --- --recover=cleanup ---

class CleanupTest : public ConnectionsTest {
 protected:
  // A task whose executor has all the time to end by itself.
  void launch_patient() {
    auto message = run_message("t");
    auto* grace = message.mutable_task()->mutable_executor()->mutable_shutdown_grace_period();
    grace->set_nanoseconds(std::chrono::nanoseconds(1h).count());
    tasks_->run_task(message);
    await_executor();
  }

  void clean_up() {
    flags_ = {"--recover=cleanup"};
    restart();
    EXPECT_TRUE(agent_->state.terminating);
    EXPECT_FALSE(agent_->state.recovering);
  }

  // Nothing is left for a run that would go on.
  void expect_all_gone() {
    run(tasks_->all_gone());
    EXPECT_TRUE(agent_->containers.containers().empty());
    EXPECT_THAT(updates(), IsEmpty());
    flags_ = {};
    restart();
    EXPECT_TRUE(agent_->state.frameworks.empty());
  }
};

TEST_F(CleanupTest, WhoComesBackIsShutDownAndMaySayHowItsTaskHasEnded) {
  launch_patient();
  subscribe();
  report("t", mesos::v1::TASK_RUNNING);
  clean_up();
  Call again = call();
  *again.mutable_subscribe()->add_unacknowledged_tasks() = task("t");
  subscribe(again);
  EXPECT_THAT(event_names(), ElementsAre("SHUTDOWN"));
  report("t", mesos::v1::TASK_KILLED);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED"));
  EXPECT_EQ(agent::Executor::State::kTerminating, find_executor()->state);
  kill_container();
  expect_all_gone();
}

TEST_F(CleanupTest, WhoHasBeenShutDownHasItsGrace) {
  launch("t");
  clean_up();
  subscribe();
  expect_all_gone();
}

TEST_F(CleanupTest, WhoDoesNotComeBackIsDestroyed) {
  launch_patient();
  subscribe();
  flags_ = {"--recover=cleanup", "--executor_reregistration_timeout=50ms"};
  restart();
  EXPECT_EQ(agent::Executor::State::kRegistering, find_executor()->state);
  expect_all_gone();
}

TEST_F(CleanupTest, WhoHasNeverConnectedIsDestroyedAtOnce) {
  launch_patient();
  clean_up();
  EXPECT_EQ(agent::Executor::State::kTerminating, find_executor()->state);
  expect_all_gone();
}

TEST_F(CleanupTest, ADriverIsToldWhereItIs) {
  launch_patient();
  tasks_->register_executor(kDriver, of_executor<internal::RegisterExecutorMessage>());
  clean_up();
  EXPECT_THAT(posted_to_driver(), ElementsAre("ShutdownExecutorMessage"));
  internal::StatusUpdateMessage message;
  auto& update = *message.mutable_update();
  update.mutable_framework_id()->set_value("f");
  update.mutable_executor_id()->set_value("e");
  update.mutable_slave_id()->set_value("S0");
  update.mutable_status()->mutable_task_id()->set_value("t");
  update.mutable_status()->set_state(mesos::v1::TASK_KILLED);
  update.set_timestamp(1);
  update.set_uuid(base::make_uuid_bytes());
  tasks_->update_from_driver(kDriver, message);
  EXPECT_THAT(posted_to_driver(), ElementsAre("StatusUpdateAcknowledgementMessage"));
  kill_container();
  expect_all_gone();
}

TEST_F(CleanupTest, WithNothingToCleanUpItEnds) {
  clean_up();
  expect_all_gone();
}

}  // namespace
