// The way of status updates, and what executors hear of it.

#include "tests/agent/tasks/support.h"

namespace {

using namespace tests;
using testing::ElementsAre;
using testing::IsEmpty;

class UpdatesTest : public TasksTest {};

TEST_F(UpdatesTest, OneUpdateAtATimeInOrder) {
  launch("t");
  report("t", mesos::v1::TASK_STARTING);
  report("t", mesos::v1::TASK_RUNNING);
  report("t", mesos::v1::TASK_FINISHED);
  // The executor is rid of all three; the scheduler has heard of the first only.
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED", "ACKNOWLEDGED", "ACKNOWLEDGED"));
  EXPECT_THAT(story("t"), ElementsAre("TASK_STARTING"));
  acknowledge(updates()[0]);
  EXPECT_THAT(story("t"), ElementsAre("TASK_STARTING", "TASK_RUNNING"));
  EXPECT_EQ(mesos::v1::TASK_FINISHED, updates()[1].latest_state());
  EXPECT_EQ(1U, find_executor()->terminated_tasks.size());
  // What the master is to know the task by is what it has been sent, not what is to come.
  const auto& known = find_executor()->terminated_tasks[0];
  EXPECT_EQ(mesos::v1::TASK_RUNNING, known.status_update_state());
  EXPECT_EQ(updates()[1].uuid(), known.status_update_uuid());
  acknowledge(updates()[1]);
  acknowledge(updates()[2]);
  EXPECT_THAT(story("t"), ElementsAre("TASK_STARTING", "TASK_RUNNING", "TASK_FINISHED"));
  EXPECT_TRUE(find_executor()->terminated_tasks.empty());
  ASSERT_EQ(1U, find_executor()->completed_tasks.size());
  EXPECT_EQ(3, find_executor()->completed_tasks.front().statuses_size());
  EXPECT_EQ(1U, agent_->state.counters.tasks_finished);
}

TEST_F(UpdatesTest, TheStatusIsCompleted) {
  launch("t");
  const auto uuid = report("t", mesos::v1::TASK_RUNNING);
  ASSERT_EQ(1U, updates().size());
  const auto update = updates()[0];
  EXPECT_EQ(uuid, update.uuid());
  EXPECT_EQ("S0", update.slave_id().value());
  EXPECT_EQ("e", update.executor_id().value());
  EXPECT_GT(update.timestamp(), 1e9);
  const auto& status = update.status();
  EXPECT_EQ(uuid, status.uuid());
  EXPECT_EQ("S0", status.agent_id().value());
  EXPECT_EQ("e", status.executor_id().value());
  EXPECT_EQ(TaskStatus::SOURCE_EXECUTOR, status.source());
  EXPECT_EQ(find_executor()->container_id.to_string(),
            status.container_status().container_id().value());
  EXPECT_GT(status.container_status().executor_pid(), 0);
  ASSERT_EQ(1, status.container_status().network_infos_size());
  EXPECT_EQ(agent_->ip, status.container_status().network_infos(0).ip_addresses(0).ip_address());
  const auto message = posted_.back().as<internal::StatusUpdateMessage>();
  EXPECT_EQ("slave(1)@" + agent_->ip + ":5051", message.pid());
}

TEST_F(UpdatesTest, TheSameUpdateTwiceIsAcknowledgedTwiceAndSentOnce) {
  launch("t");
  const auto uuid = report("t", mesos::v1::TASK_RUNNING);
  report("t", mesos::v1::TASK_RUNNING, uuid);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED", "ACKNOWLEDGED"));
  acknowledge(updates()[0]);
  report("t", mesos::v1::TASK_RUNNING, uuid);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED"));
  EXPECT_THAT(story("t"), ElementsAre("TASK_RUNNING"));
}

TEST_F(UpdatesTest, TheFirstEndCounts) {
  launch("t");
  report("t", mesos::v1::TASK_FINISHED);
  report("t", mesos::v1::TASK_KILLED);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED", "ACKNOWLEDGED"));
  acknowledge(updates()[0]);
  EXPECT_THAT(story("t"), ElementsAre("TASK_FINISHED"));
}

TEST_F(UpdatesTest, AWrongAcknowledgementChangesNothing) {
  launch("t");
  report("t", mesos::v1::TASK_RUNNING);
  report("t", mesos::v1::TASK_FINISHED);
  auto wrong = updates()[0];
  wrong.set_uuid(base::make_uuid_bytes());
  acknowledge(wrong);
  EXPECT_THAT(story("t"), ElementsAre("TASK_RUNNING"));
}

TEST_F(UpdatesTest, WithoutAMasterUpdatesWait) {
  launch("t");
  disconnect();
  report("t", mesos::v1::TASK_RUNNING);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED"));
  EXPECT_THAT(story("t"), IsEmpty());
  connect();
  EXPECT_THAT(story("t"), ElementsAre("TASK_RUNNING"));
  // And again, for a scheduler that has failed over.
  internal::UpdateFrameworkMessage message;
  message.mutable_framework_id()->set_value("f");
  tasks_->update_framework(message);
  EXPECT_THAT(story("t"), ElementsAre("TASK_RUNNING", "TASK_RUNNING"));
}

TEST_F(UpdatesTest, WhatIsNotOursIsIgnored) {
  launch("t");
  Call update = call();
  auto* status = update.mutable_update()->mutable_status();
  status->mutable_task_id()->set_value("t");
  status->set_state(mesos::v1::TASK_RUNNING);
  status->set_uuid(base::make_uuid_bytes());
  status->mutable_agent_id()->set_value("S1");
  tasks_->update(update);
  update.mutable_framework_id()->set_value("unknown");
  status->clear_agent_id();
  tasks_->update(update);
  EXPECT_THAT(event_names(), IsEmpty());
  EXPECT_THAT(story("t"), IsEmpty());
  EXPECT_EQ(2U, agent_->state.counters.invalid_status_updates);
}

// Such as of a task that the agent could not write down: the scheduler hears of it, the executor
// nothing.
TEST_F(UpdatesTest, ATaskThatNoExecutorHasIsReportedAllTheSame) {
  launch("t");
  report("other", mesos::v1::TASK_RUNNING);
  EXPECT_THAT(event_names(), IsEmpty());
  EXPECT_THAT(story("other"), ElementsAre("TASK_RUNNING"));
}

TEST_F(UpdatesTest, OfATaskThatIsDoneNothingIsReported) {
  launch("t");
  report("t", mesos::v1::TASK_FINISHED);
  acknowledge(updates()[0]);
  event_names();
  report("t", mesos::v1::TASK_FINISHED);
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED"));
  EXPECT_THAT(story("t"), ElementsAre("TASK_FINISHED"));
}

TEST_F(UpdatesTest, WhatNoExecutorCanKnowIsIgnored) {
  launch("t");
  report("t", mesos::v1::TASK_UNREACHABLE);
  report("t", mesos::v1::TASK_UNKNOWN);
  report("t", mesos::v1::TASK_RUNNING, "short");
  EXPECT_THAT(event_names(), IsEmpty());
  EXPECT_THAT(story("t"), IsEmpty());
  EXPECT_EQ(3U, agent_->state.counters.invalid_status_updates);
}

TEST_F(UpdatesTest, NoExecutorMaySayStaging) {
  launch("t");
  report("t", mesos::v1::TASK_STAGING);
  EXPECT_THAT(event_names(), ElementsAre("SHUTDOWN"));
}

TEST_F(UpdatesTest, UpdatesAreOnDiskBeforeTheyAreSent) {
  launch("t");
  report("t", mesos::v1::TASK_RUNNING);
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  const auto history =
      agent::read_update_log<internal::StatusUpdateRecord>(paths().task_updates(run, "t"));
  ASSERT_TRUE(history.has_value());
  EXPECT_EQ(1U, history->updates.size());
  EXPECT_TRUE(history->acknowledged.empty());
}

TEST_F(UpdatesTest, WhatCannotBeWrittenIsAcknowledgedWhenItCan) {
  launch("t");
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  // No file can be made there.
  std::filesystem::remove_all(paths().meta_task(run, "t"));
  ASSERT_TRUE(base::write_file(paths().meta_task(run, "t"), "in the way"));
  report("t", mesos::v1::TASK_RUNNING);
  report("t", mesos::v1::TASK_FINISHED);
  EXPECT_THAT(event_names(), IsEmpty());
  EXPECT_THAT(story("t"), IsEmpty());
  EXPECT_EQ(1U, find_executor()->launched_tasks.size());
  std::filesystem::remove(paths().meta_task(run, "t"));
  await_story("t");
  EXPECT_THAT(event_names(), ElementsAre("ACKNOWLEDGED", "ACKNOWLEDGED"));
  EXPECT_THAT(story("t"), ElementsAre("TASK_RUNNING"));
  acknowledge(updates()[0]);
  EXPECT_THAT(story("t"), ElementsAre("TASK_RUNNING", "TASK_FINISHED"));
}

// A kill that had come before the task, say.
TEST_F(UpdatesTest, WhatWasSaidBeforeOfATaskOfThatIdGivesWay) {
  launch("t1");
  tasks_->kill_task(kill_message("t2"));
  EXPECT_THAT(story("t2"), ElementsAre("TASK_DROPPED REASON_EXECUTOR_TERMINATED"));
  tasks_->run_task(run_message("t2", false));
  await([&] { return find_executor()->launched_tasks.size() == 2; });
  report("t2", mesos::v1::TASK_RUNNING);
  EXPECT_THAT(story("t2"), ElementsAre("TASK_DROPPED REASON_EXECUTOR_TERMINATED", "TASK_RUNNING"));
}

TEST_F(UpdatesTest, AFrameworkMayNotBecomeAnother) {
  launch("t");
  internal::UpdateFrameworkMessage message;
  message.mutable_framework_id()->set_value("f");
  *message.mutable_framework_info() = framework("../g");
  tasks_->update_framework(message);
  EXPECT_EQ("f", agent_->state.frameworks.at("f").info.id().value());
}

// --- Messages ---

TEST_F(UpdatesTest, MessagesGoBothWays) {
  launch("t");
  internal::FrameworkToExecutorMessage to;
  to.mutable_slave_id()->set_value("S0");
  to.mutable_framework_id()->set_value("f");
  to.mutable_executor_id()->set_value("e");
  to.set_data("down");
  tasks_->message_to_executor(to);
  const auto told = events();
  ASSERT_EQ(1U, told.size());
  EXPECT_EQ("down", told[0].message().data());

  internal::ExecutorToFrameworkMessage from;
  from.mutable_framework_id()->set_value("f");
  from.mutable_executor_id()->set_value("e");
  from.set_data("up");
  tasks_->message_from_executor(from);
  EXPECT_EQ("master", posted_.back().to);
  EXPECT_EQ("up", posted_.back().as<internal::ExecutorToFrameworkMessage>().data());
  EXPECT_EQ("S0", posted_.back().as<internal::ExecutorToFrameworkMessage>().slave_id().value());

  internal::UpdateFrameworkMessage update;
  update.mutable_framework_id()->set_value("f");
  update.set_pid("scheduler-1@10.0.0.1:9000");
  tasks_->update_framework(update);
  tasks_->message_from_executor(from);
  EXPECT_EQ("scheduler-1@10.0.0.1:9000", posted_.back().to);

  disconnect();
  const size_t before = posted_.size();
  tasks_->message_from_executor(from);
  tasks_->message_to_executor(to);
  EXPECT_EQ(before, posted_.size());
  EXPECT_THAT(event_names(), IsEmpty());
  EXPECT_EQ(2U, agent_->state.counters.invalid_framework_messages);
  EXPECT_EQ(3U, agent_->state.counters.valid_framework_messages);
}

// --- Reconciliation ---

TEST_F(UpdatesTest, WhatTheMasterAsksForAndIsNotHereIsDropped) {
  launch("t");
  internal::SlaveReregisteredMessage message;
  message.mutable_slave_id()->set_value("S0");
  auto* asked = message.add_reconciliations();
  *asked->mutable_framework() = framework("f");
  asked->mutable_framework_id()->set_value("f");
  for (const auto* id : {"t", "lost"}) {
    auto* status = asked->add_statuses();
    status->mutable_task_id()->set_value(id);
    status->set_state(mesos::v1::TASK_RUNNING);
  }
  auto* other = message.add_reconciliations();
  *other->mutable_framework() = framework("g", true, false);
  other->mutable_framework_id()->set_value("g");
  other->add_statuses()->mutable_task_id()->set_value("gone");
  other->mutable_statuses(0)->set_state(mesos::v1::TASK_RUNNING);
  tasks_->reregistered(message);
  EXPECT_THAT(story("t"), IsEmpty());
  EXPECT_THAT(story("lost"), ElementsAre("TASK_DROPPED REASON_RECONCILIATION"));
  EXPECT_THAT(story("gone"), ElementsAre("TASK_LOST REASON_RECONCILIATION"));
}

TEST_F(UpdatesTest, AMasterThatTheAgentComesBackToIsToldOfEverything) {
  launch("t1");
  report("t1", mesos::v1::TASK_RUNNING);
  report("t1", mesos::v1::TASK_FINISHED);
  tasks_->run_task(run_message("t2", false));
  await([&] { return find_executor()->launched_tasks.size() == 1; });
  internal::ReregisterSlaveMessage message;
  tasks_->describe_for(&message);
  ASSERT_EQ(1, message.frameworks_size());
  EXPECT_EQ("f", message.frameworks(0).id().value());
  ASSERT_EQ(1, message.executor_infos_size());
  EXPECT_EQ("f", message.executor_infos(0).framework_id().value());
  ASSERT_EQ(2, message.tasks_size());
  EXPECT_EQ("t2", message.tasks(0).task_id().value());
  EXPECT_EQ(mesos::v1::TASK_STAGING, message.tasks(0).state());
  EXPECT_EQ("e", message.tasks(0).executor_id().value());
  EXPECT_EQ(mesos::v1::TASK_FINISHED, message.tasks(1).state());
  EXPECT_EQ(mesos::v1::TASK_RUNNING, message.tasks(1).status_update_state());
  EXPECT_EQ(updates()[0].uuid(), message.tasks(1).status_update_uuid());
}

}  // namespace
