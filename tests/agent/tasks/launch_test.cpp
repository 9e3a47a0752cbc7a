// From a master's message to the executor, and each reason why a task does not get there.

#include "tests/agent/tasks/support.h"

namespace {

using namespace tests;
using testing::ElementsAre;

class LaunchTest : public TasksTest {};

TEST_F(LaunchTest, ATaskReachesItsExecutor) {
  tasks_->run_task(run_message("t"));
  EXPECT_EQ(1U, agent_->state.frameworks.at("f").pending_tasks.size());
  await_executor();
  EXPECT_EQ(agent::Executor::State::kRegistering, find_executor()->state);
  EXPECT_EQ(1U, find_executor()->queued_tasks.size());
  subscribe();
  const auto told = events();
  ASSERT_EQ(2U, told.size());
  ASSERT_EQ(Event::SUBSCRIBED, told[0].type());
  EXPECT_EQ("e", told[0].subscribed().executor_info().executor_id().value());
  EXPECT_EQ("f", told[0].subscribed().framework_info().id().value());
  EXPECT_EQ("S0", told[0].subscribed().agent_info().id().value());
  EXPECT_EQ(find_executor()->container_id.to_string(), told[0].subscribed().container_id().value());
  ASSERT_EQ(Event::LAUNCH, told[1].type());
  EXPECT_EQ("t", told[1].launch().task().task_id().value());
  EXPECT_EQ("role", told[1].launch().task().resources(0).allocation_info().role());
  EXPECT_EQ(agent::Executor::State::kRunning, find_executor()->state);
}

TEST_F(LaunchTest, TasksOfOneExecutorKeepTheirOrder) {
  tasks_->run_task(run_message("t1"));
  tasks_->run_task(run_message("t2", false));
  tasks_->run_task_group(group_message({"g1", "g2"}, false));
  tasks_->run_task(run_message("t3", false));
  await([&] { return find_executor() != nullptr && find_executor()->queued_tasks.size() == 5; });
  subscribe();
  std::vector<std::string> launched;
  for (const auto& event : events()) {
    if (event.type() == Event::LAUNCH) launched.push_back(event.launch().task().task_id().value());
    if (event.type() == Event::LAUNCH_GROUP) {
      for (const auto& each : event.launch_group().task_group().tasks()) {
        launched.push_back(each.task_id().value());
      }
    }
  }
  EXPECT_THAT(launched, ElementsAre("t1", "t2", "t3", "g1", "g2"));
}

TEST_F(LaunchTest, ARunningExecutorGetsTheTaskAtOnce) {
  launch("t1");
  tasks_->run_task(run_message("t2", false));
  EXPECT_THAT(event_names(), ElementsAre("LAUNCH"));
}

TEST_F(LaunchTest, TheSandboxIsThereWithALinkToTheLatest) {
  tasks_->run_task(run_message("t"));
  await_executor();
  const std::string runs = options_.work_dir + "/slaves/S0/frameworks/f/executors/e/runs";
  EXPECT_EQ(runs + "/" + find_executor()->container_id.to_string(), find_executor()->sandbox);
  EXPECT_EQ(find_executor()->sandbox, std::filesystem::read_symlink(runs + "/latest"));
  EXPECT_TRUE(std::filesystem::is_directory(find_executor()->sandbox));
}

TEST_F(LaunchTest, TheEnvironmentIsThatOfTheContract) {
  auto message = run_message("t");
  auto* command = message.mutable_task()->mutable_executor()->mutable_command();
  command->set_value("env > env.tmp; mv env.tmp env; exec sleep 1000");
  auto* own = command->mutable_environment()->add_variables();
  own->set_name("MESOS_CHECKPOINT");
  own->set_value("mine");
  tasks_->run_task(message);
  await_executor();
  const std::string file = find_executor()->sandbox + "/env";
  await([&] { return base::path_exists(file); });
  const std::string environment = base::read_file(file).value();
  for (const std::string& line :
       {std::string("LIBPROCESS_PORT=0"), std::string("MESOS_FRAMEWORK_ID=f"),
        std::string("MESOS_EXECUTOR_ID=e"), std::string("MESOS_SLAVE_ID=S0"),
        "MESOS_DIRECTORY=" + find_executor()->sandbox, "MESOS_SANDBOX=" + find_executor()->sandbox,
        "MESOS_SLAVE_PID=slave(1)@" + agent_->ip + ":5051",
        "MESOS_AGENT_ENDPOINT=" + agent_->ip + ":5051", std::string("MESOS_CHECKPOINT=mine"),
        std::string("MESOS_HTTP_COMMAND_EXECUTOR=0"),
        std::string("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=50ms"),
        std::string("MESOS_RECOVERY_TIMEOUT=15mins"),
        std::string("MESOS_SUBSCRIPTION_BACKOFF_MAX=2secs")}) {
    EXPECT_NE(std::string::npos, ("\n" + environment).find("\n" + line + "\n")) << line;
  }
  EXPECT_EQ(std::string::npos, environment.find("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"));
  EXPECT_EQ(std::string::npos, environment.find("MESOS_DOMAIN_SOCKET"));
}

TEST_F(LaunchTest, WithoutCheckpointsExecutorsAreNotToldHowToComeBack) {
  auto message = run_message("t", true, false);
  message.mutable_task()->mutable_executor()->mutable_command()->set_value(
      "env > env.tmp; mv env.tmp env; exec sleep 1000");
  tasks_->run_task(message);
  await_executor();
  const std::string file = find_executor()->sandbox + "/env";
  await([&] { return base::path_exists(file); });
  const std::string environment = base::read_file(file).value();
  EXPECT_NE(std::string::npos, environment.find("MESOS_CHECKPOINT=0"));
  EXPECT_EQ(std::string::npos, environment.find("MESOS_RECOVERY_TIMEOUT"));
  EXPECT_EQ(std::string::npos, environment.find("MESOS_SUBSCRIPTION_BACKOFF_MAX"));
}

TEST_F(LaunchTest, ACommandTaskGetsAnExecutorThatTheMasterDoesNotKnow) {
  internal::RunTaskMessage message;
  *message.mutable_framework() = framework("f");
  *message.mutable_task() = task("t");
  message.mutable_task()->mutable_command()->set_value("sleep 1000 && echo done");
  message.mutable_task()->mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(
      3'000'000'000);
  message.set_launch_executor(true);
  tasks_->run_task(message);
  await_executor("t");
  const auto& made = *find_executor("t");
  EXPECT_TRUE(made.is_command_executor);
  EXPECT_EQ("Command Executor (Task: t) (Command: sh -c 'sleep 1000 &...')", made.info.name());
  EXPECT_EQ("t", made.info.source());
  EXPECT_EQ(5'000'000'000, made.info.shutdown_grace_period().nanoseconds());
  ASSERT_EQ(2, made.info.resources_size());
  EXPECT_EQ(0.1, made.info.resources(0).scalar().value());
  EXPECT_EQ(32, made.info.resources(1).scalar().value());
  internal::ReregisterSlaveMessage described;
  tasks_->describe_for(&described);
  EXPECT_EQ(0, described.executor_infos_size());
  ASSERT_EQ(1, described.tasks_size());
  EXPECT_FALSE(described.tasks(0).has_executor_id());
}

// --- What does not get there ---

TEST_F(LaunchTest, StaleResourcesAreAnInvalidOffer) {
  auto message = run_message("t");
  message.add_resource_version_uuids()->mutable_uuid()->set_value("another one");
  tasks_->run_task(message);
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_DROPPED REASON_INVALID_OFFERS"));
  EXPECT_EQ(1U, count_posted("ExitedExecutorMessage"));
  EXPECT_FALSE(updates()[0].has_latest_state() &&
               updates()[0].latest_state() != mesos::v1::TASK_DROPPED);
  EXPECT_EQ(TaskStatus::SOURCE_AGENT, updates()[0].status().source());
  EXPECT_EQ("e", updates()[0].executor_id().value());
}

TEST_F(LaunchTest, UnknownReservationsAreUnknownResources) {
  has_resources_ = false;
  tasks_->run_task(run_message("t"));
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_DROPPED REASON_RESOURCES_UNKNOWN"));
}

internal::RunTaskMessage with_volume(internal::RunTaskMessage message, const std::string& path) {
  auto& resource = *message.mutable_task()->add_resources();
  resource.set_name("disk");
  resource.set_type(mesos::v1::Value::SCALAR);
  resource.mutable_scalar()->set_value(1);
  auto& reservation = *resource.add_reservations();
  reservation.set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
  reservation.set_role("role");
  resource.mutable_disk()->mutable_persistence()->set_id("v");
  resource.mutable_disk()->mutable_volume()->set_container_path(path);
  resource.mutable_disk()->mutable_volume()->set_mode(mesos::v1::Volume::RW);
  return message;
}

TEST_F(LaunchTest, AVolumeNeedsAPlace) {
  tasks_->run_task(with_volume(run_message("t"), "../data"));
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_ERROR REASON_TASK_INVALID"));
  EXPECT_EQ("Persistent volume 'v': the container path '../data' has '..' in it",
            updates()[0].status().message());
}

TEST_F(LaunchTest, AVolumeNeedsItsDirectory) {
  tasks_->run_task(with_volume(run_message("t"), "data"));
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_DROPPED REASON_RESOURCES_UNKNOWN"));
}

TEST_F(LaunchTest, AContainerHasItsTasksVolumesAsLongAsTheyRun) {
  const std::string directory = options_.work_dir + "/volumes/roles/role/v";
  ASSERT_TRUE(base::make_directories(directory));
  launch("t1");
  const auto volumes = [&] {
    return agent_->containers.find(find_executor()->container_id)->config().volumes();
  };
  EXPECT_TRUE(volumes().empty());
  tasks_->run_task(with_volume(run_message("t2", false), "data"));
  EXPECT_THAT(event_names(), testing::Contains("LAUNCH"));
  ASSERT_EQ(1, volumes().size());
  EXPECT_EQ(directory, volumes()[0].host_path());
  EXPECT_EQ("data", volumes()[0].container_path());
  // Another in the same place: only that task is refused.
  auto other = with_volume(run_message("t3", false), "data/more");
  tasks_->run_task(other);
  await_story("t3");
  EXPECT_THAT(story("t3"), ElementsAre("TASK_ERROR REASON_TASK_INVALID"));
  report("t2", mesos::v1::TASK_FINISHED);
  EXPECT_TRUE(volumes().empty());
}

TEST_F(LaunchTest, WhoIsNotPartitionAwareLosesTasks) {
  has_resources_ = false;
  auto message = run_message("t");
  *message.mutable_framework() = framework("f", true, false);
  tasks_->run_task(message);
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_LOST REASON_RESOURCES_UNKNOWN"));
}

TEST_F(LaunchTest, AnExecutorThatShouldNotBeThereIsShutDown) {
  launch("t1");
  tasks_->run_task(run_message("t2", true));
  await_story("t2");
  EXPECT_THAT(story("t2"), ElementsAre("TASK_DROPPED REASON_EXECUTOR_TERMINATED"));
  EXPECT_THAT(event_names(), ElementsAre("SHUTDOWN"));
}

TEST_F(LaunchTest, WithoutItsExecutorATaskIsDropped) {
  tasks_->run_task(run_message("t", false));
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_DROPPED REASON_EXECUTOR_TERMINATED"));
  EXPECT_EQ(0U, count_posted("ExitedExecutorMessage"));
}

TEST_F(LaunchTest, AnOldMasterLeavesTheChoiceToTheAgent) {
  auto message = run_message("t1");
  message.clear_launch_executor();
  tasks_->run_task(message);
  await_executor();
  message = run_message("t2");
  message.clear_launch_executor();
  tasks_->run_task(message);
  await([&] { return find_executor()->queued_tasks.size() == 2; });
}

TEST_F(LaunchTest, ACommandTaskNeedsAnIdOfItsOwn) {
  launch("t1");
  internal::RunTaskMessage message;
  *message.mutable_framework() = framework("f");
  *message.mutable_task() = task("e");  // as the executor
  message.mutable_task()->mutable_command()->set_value("true");
  message.set_launch_executor(true);
  tasks_->run_task(message);
  await_story("e");
  EXPECT_THAT(story("e"), ElementsAre("TASK_DROPPED REASON_TASK_INVALID"));
}

TEST_F(LaunchTest, LimitsThatNothingEnforcesAreRefused) {
  auto message = run_message("t");
  (*message.mutable_task()->mutable_limits())["mem"].set_value(64);
  tasks_->run_task(message);
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_DROPPED REASON_GC_ERROR"));
}

TEST_F(LaunchTest, ADrainedAgentTakesNothing) {
  launch("t1");
  internal::DrainSlaveMessage drain;
  drain.mutable_config();
  tasks_->drain(drain);
  EXPECT_THAT(event_names(), ElementsAre("KILL"));
  tasks_->run_task(run_message("t2", false));
  await_story("t2");
  EXPECT_THAT(story("t2"), ElementsAre("TASK_DROPPED REASON_AGENT_DRAINING"));
}

TEST_F(LaunchTest, WhatIsForAnotherAgentIsIgnored) {
  auto message = run_message("t");
  message.mutable_task()->mutable_agent_id()->set_value("S1");
  tasks_->run_task(message);
  settle();
  EXPECT_TRUE(agent_->state.frameworks.empty());
  EXPECT_TRUE(posted_.empty());
}

TEST_F(LaunchTest, IdsThatAreNoNamesOfDirectoriesAreIgnored) {
  for (const std::string id : {"..", "a/b", ""}) {
    tasks_->run_task(run_message(id));
    auto message = run_message("t");
    message.mutable_task()->mutable_executor()->mutable_executor_id()->set_value(id);
    tasks_->run_task(message);
    message = run_message("t");
    message.mutable_framework()->mutable_id()->set_value(id);
    tasks_->run_task(message);
  }
  settle();
  EXPECT_TRUE(agent_->state.frameworks.empty());
}

TEST_F(LaunchTest, AContainerThatCannotStartFailsItsTasks) {
  auto message = run_message("t");
  message.mutable_task()->mutable_executor()->mutable_container()->set_type(
      mesos::v1::ContainerInfo::DOCKER);
  tasks_->run_task(message);
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED"));
  EXPECT_TRUE(updates()[0].status().message().starts_with("Failed to launch container: "));
  EXPECT_EQ(1U, agent_->container_launch_errors);
  // Kept until the scheduler has heard of it.
  EXPECT_EQ(agent::Executor::State::kTerminated, find_executor()->state);
  acknowledge(updates()[0]);
  EXPECT_TRUE(agent_->state.frameworks.empty());
  ASSERT_EQ(1U, agent_->state.completed_frameworks.size());
  EXPECT_EQ(1U, agent_->state.completed_frameworks[0].completed_executors.size());
}

class RegistrationTimeoutTest : public TasksTest {
 protected:
  RegistrationTimeoutTest() { flags_ = {"--executor_registration_timeout=50ms"}; }
};

TEST_F(RegistrationTimeoutTest, AnExecutorThatNeverComesFailsItsTasks) {
  tasks_->run_task(run_message("t"));
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_FAILED REASON_EXECUTOR_REGISTRATION_TIMEOUT"));
  EXPECT_TRUE(updates()[0].status().message().starts_with("Executor did not register within 50ms"))
      << updates()[0].status().message();
  await([&] { return count_posted("ExitedExecutorMessage") == 1; });
}

class SwitchUserTest : public TasksTest {
 protected:
  SwitchUserTest() {
    flags_ = {
        "--acls={\"permissive\": true, \"run_tasks\": [{\"principals\": "
        "{\"type\": \"ANY\"}, \"users\": {\"values\": [\"ann\"]}}, "
        "{\"principals\": {\"type\": \"ANY\"}, \"users\": "
        "{\"type\": \"NONE\"}}]}"};
  }
};

TEST_F(SwitchUserTest, WhoMayNotRunAsThatUserIsTold) {
  tasks_->run_task(run_message("t"));
  await_story("t");
  EXPECT_THAT(story("t"), ElementsAre("TASK_ERROR REASON_TASK_UNAUTHORIZED"));
  tasks_->run_task_group(group_message({"g1", "g2"}));
  await_story("g2");
  EXPECT_THAT(story("g1"), ElementsAre("TASK_ERROR REASON_TASK_GROUP_UNAUTHORIZED"));
  EXPECT_EQ(2U, count_posted("ExitedExecutorMessage"));
  auto message = run_message("ok");
  message.mutable_framework()->set_user("ann");
  message.mutable_framework()->mutable_id()->set_value("g");
  tasks_->run_task(message);
  await([&] {
    const auto at = agent_->state.frameworks.find("g");
    return at != agent_->state.frameworks.end() && !at->second.executors.empty();
  });
}

// The volume is made by an operation that came before, but has to wait for another.
TEST_F(LaunchTest, WhatTheAgentHasNotIsWaitedForWhileOperationsGoOn) {
  base::Event settled;
  settling_ = &settled;
  has_resources_ = false;
  tasks_->run_task(run_message("t"));
  settle();
  EXPECT_THAT(story("t"), testing::IsEmpty());
  EXPECT_EQ(nullptr, find_executor());
  has_resources_ = true;
  settled.set();
  await_executor();
  EXPECT_THAT(story("t"), testing::IsEmpty());
}

}  // namespace
