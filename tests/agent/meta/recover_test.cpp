#include "agent/meta/recover.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/meta/checkpoints.h"
#include "tests/agent/meta/work_dir.h"

namespace {

using agent::recover_meta;
using agent::RecoveredAgent;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using tests::content_of;
using tests::kEnded;
using tests::kEndedRun;
using tests::kGroup;
using tests::kGroupRun;
using tests::kRunning;
using tests::kRunningRun;
using tests::put;

class Recover : public testing::Test {
 protected:
  RecoveredAgent recover(bool strict = true) {
    auto recovered = recover_meta(work_.work_dir(), strict);
    EXPECT_TRUE(recovered.has_value()) << recovered.error().message;
    return recovered ? *std::move(recovered) : RecoveredAgent();
  }

  // What `strict` makes an error and what otherwise is passed over and counted.
  void expect_damage(const std::string& path) {
    const auto strict = recover_meta(work_.work_dir(), true);
    ASSERT_FALSE(strict.has_value());
    EXPECT_THAT(strict.error().message, HasSubstr(path));
    EXPECT_EQ(1, recover(false).errors);
  }

  std::vector<std::string> recovered_frameworks(bool strict = true) {
    std::vector<std::string> ids;
    for (const auto& framework : recover(strict).frameworks) {
      ids.push_back(framework.info.id().value());
    }
    return ids;
  }

  tests::RecordedWorkDir work_;
  const agent::MetaPaths& paths_ = work_.paths;
};

// What /state said before the agent was killed.
TEST_F(Recover, ReadsWhatApacheMesosHasWritten) {
  const RecoveredAgent found = recover();
  EXPECT_EQ(0, found.errors);
  EXPECT_FALSE(found.rebooted);
  EXPECT_FALSE(found.drain.has_value());
  EXPECT_THAT(found.stale_pid_files, IsEmpty());
  EXPECT_THAT(found.other_agents, IsEmpty());

  ASSERT_TRUE(found.info.has_value());
  EXPECT_EQ(tests::kAgent, found.info->id().value());
  EXPECT_EQ("127.0.0.1", found.info->hostname());
  EXPECT_EQ(44965, found.info->port());
  ASSERT_EQ(4, found.info->resources_size());
  EXPECT_EQ("ports", found.info->resources(3).name());
  EXPECT_FALSE(found.info->resources(3).has_role());
  ASSERT_EQ(1, found.info->attributes_size());
  EXPECT_EQ("abc", found.info->attributes(0).text().value());
  ASSERT_EQ(1, found.info->unknown_fields().field_count());
  EXPECT_EQ(7, found.info->unknown_fields().field(0).number());
  EXPECT_EQ(1U, found.info->unknown_fields().field(0).varint());

  ASSERT_EQ(3U, found.frameworks.size());
  for (const auto& framework : found.frameworks) {
    EXPECT_EQ("mesos-execute instance", framework.info.name());
    EXPECT_TRUE(framework.info.checkpoint());
    EXPECT_EQ("@0.0.0.0:0", framework.pid);
    ASSERT_EQ(1U, framework.executors.size());
  }

  const auto& running = found.frameworks[0].executors[0];
  EXPECT_EQ(kRunning, found.frameworks[0].info.id().value());
  EXPECT_EQ("run", running.info.executor_id().value());
  EXPECT_TRUE(running.generated_for_command_task);
  EXPECT_EQ(kRunningRun.container, running.run.container);
  EXPECT_FALSE(running.run.completed);
  EXPECT_EQ(16849, running.run.forked_pid);
  EXPECT_EQ("executor(1)@127.0.0.1:45741", running.run.libprocess_pid);
  EXPECT_FALSE(running.run.http);
  ASSERT_EQ(1U, running.run.tasks.size());
  const auto& task = running.run.tasks[0];
  EXPECT_EQ("run", task.task.task_id().value());
  EXPECT_EQ(mesos::v1::TASK_STAGING, task.task.state());
  EXPECT_EQ(64, task.task.resources(1).scalar().value());
  EXPECT_EQ("*", task.task.resources(1).allocation_info().role());
  ASSERT_EQ(2U, task.updates.size());
  EXPECT_EQ(mesos::v1::TASK_STARTING, task.updates[0].status().state());
  EXPECT_EQ(1795255581.216797, task.updates[0].status().timestamp());
  EXPECT_EQ(mesos::v1::TASK_RUNNING, task.updates[1].status().state());
  EXPECT_EQ(1795255581.227221, task.updates[1].status().timestamp());
  EXPECT_THAT(task.acknowledged,
              UnorderedElementsAre(task.updates[0].uuid(), task.updates[1].uuid()));

  const auto& ended = found.frameworks[1].executors[0];
  EXPECT_EQ(kEnded, found.frameworks[1].info.id().value());
  EXPECT_TRUE(ended.run.completed);
  ASSERT_EQ(1U, ended.run.tasks.size());
  ASSERT_EQ(3U, ended.run.tasks[0].updates.size());
  EXPECT_EQ(mesos::v1::TASK_FAILED, ended.run.tasks[0].updates[2].status().state());
  // The last was not: its framework was shut down before.
  EXPECT_EQ(2U, ended.run.tasks[0].acknowledged.size());
  EXPECT_THAT(found.garbage, UnorderedElementsAre(paths_.work_executor(kEnded, "done"),
                                                  paths_.meta_executor(kEnded, "done")));

  const auto& group = found.frameworks[2].executors[0];
  EXPECT_EQ("default-executor", group.info.executor_id().value());
  EXPECT_EQ(mesos::v1::ExecutorInfo::DEFAULT, group.info.type());
  EXPECT_FALSE(group.generated_for_command_task);
  EXPECT_EQ(16874, group.run.forked_pid);
  EXPECT_FALSE(group.run.libprocess_pid.has_value());
  EXPECT_TRUE(group.run.http);
  ASSERT_EQ(2U, group.run.tasks.size());
  EXPECT_EQ("a", group.run.tasks[0].task.task_id().value());
  EXPECT_EQ("b", group.run.tasks[1].task.task_id().value());
}

TEST_F(Recover, StartsAnewWithoutAnAgent) {
  const tests::ScratchDirectory empty;
  auto found = recover_meta(empty.path(), true);
  ASSERT_TRUE(found.has_value()) << found.error().message;
  EXPECT_FALSE(found->info.has_value());

  put(paths_.agent_info(), "");  // as a crash between creating and writing leaves it
  found = recover_meta(work_.work_dir(), true);
  EXPECT_FALSE(found->info.has_value());
  EXPECT_THAT(found->frameworks, IsEmpty());
  EXPECT_THAT(found->other_agents, UnorderedElementsAre(paths_.work_agent(), paths_.meta_agent()));
}

TEST_F(Recover, ForgottenAgentIsGarbage) {
  ASSERT_TRUE(agent::forget_agent(work_.work_dir()).has_value());
  ASSERT_TRUE(agent::forget_agent(work_.work_dir()).has_value());
  const RecoveredAgent found = recover();
  EXPECT_FALSE(found.info.has_value());
  EXPECT_THAT(found.other_agents, UnorderedElementsAre(paths_.work_agent(), paths_.meta_agent()));
}

TEST_F(Recover, OtherAgentsAreGarbage) {
  const agent::MetaPaths other(work_.work_dir(), "other-S1");
  std::filesystem::create_directories(other.meta_agent());
  std::filesystem::create_directories(other.work_agent());
  EXPECT_THAT(recover().other_agents, UnorderedElementsAre(other.meta_agent(), other.work_agent()));
}

TEST_F(Recover, LinkThatIsNoneIsAnErrorAlways) {
  std::filesystem::remove(paths_.latest_agent());
  put(paths_.latest_agent(), "text");
  for (const bool strict : {true, false}) {
    const auto found = recover_meta(work_.work_dir(), strict);
    ASSERT_FALSE(found.has_value());
    EXPECT_THAT(found.error().message, HasSubstr(paths_.latest_agent()));
  }
}

TEST_F(Recover, DanglingLinkIsNone) {
  std::filesystem::remove(paths_.latest_agent());
  std::filesystem::create_symlink(paths_.meta_agents() + "/gone", paths_.latest_agent());
  EXPECT_FALSE(recover().info.has_value());
}

TEST_F(Recover, DamagedAgentInfo) {
  put(paths_.agent_info(), "\x05\x01\x02");
  expect_damage(paths_.agent_info());
  EXPECT_FALSE(recover(false).info.has_value());
}

TEST_F(Recover, FrameworkWithoutItsFilesIsGarbage) {
  for (const std::string& path : {paths_.framework_info(kRunning), paths_.framework_pid(kGroup)}) {
    put(path, "");
  }
  EXPECT_THAT(recovered_frameworks(), ElementsAre(kEnded));
  EXPECT_THAT(
      recover().garbage,
      testing::IsSupersetOf({paths_.work_framework(kRunning), paths_.meta_framework(kRunning),
                             paths_.work_framework(kGroup), paths_.meta_framework(kGroup)}));
  std::filesystem::remove(paths_.framework_info(kEnded));
  EXPECT_THAT(recovered_frameworks(), IsEmpty());
}

TEST_F(Recover, DamagedFrameworkIsGarbage) {
  put(paths_.framework_info(kRunning), "damage");
  expect_damage(paths_.framework_info(kRunning));
  EXPECT_THAT(recovered_frameworks(false), ElementsAre(kEnded, kGroup));
}

TEST_F(Recover, FrameworkWithoutExecutorsIsGarbage) {
  std::filesystem::remove_all(paths_.meta_executors(kRunning));
  EXPECT_THAT(recovered_frameworks(), ElementsAre(kEnded, kGroup));
  EXPECT_THAT(recover().garbage, testing::IsSupersetOf({paths_.work_framework(kRunning),
                                                        paths_.meta_framework(kRunning)}));
}

TEST_F(Recover, ExecutorThatWasNotCompleteIsGarbage) {
  for (const std::string id : {"no-info", "no-runs", "dangling"}) {
    put(paths_.executor_info(kGroup, id), "");
  }
  for (const std::string id : {"no-runs", "dangling"}) {
    mesos::v1::ExecutorInfo info;
    info.mutable_executor_id()->set_value(id);
    ASSERT_TRUE(agent::checkpoint_executor(paths_, kGroup, info, false).has_value());
  }
  std::filesystem::create_directories(paths_.meta_runs(kGroup, "dangling"));
  std::filesystem::create_symlink("/gone", paths_.meta_latest_run(kGroup, "dangling"));
  const RecoveredAgent found = recover();
  EXPECT_EQ(1U, found.frameworks[2].executors.size());
  EXPECT_THAT(found.garbage, testing::IsSupersetOf({paths_.meta_executor(kGroup, "no-info"),
                                                    paths_.meta_executor(kGroup, "no-runs"),
                                                    paths_.meta_executor(kGroup, "dangling")}));
}

TEST_F(Recover, DamagedExecutorIsGarbage) {
  put(paths_.executor_info(kRunning, "run"), std::string("\xFF\xFF\xFF\xFF", 4));
  expect_damage(paths_.executor_info(kRunning, "run"));
  EXPECT_THAT(recovered_frameworks(false), ElementsAre(kEnded, kGroup));
}

TEST_F(Recover, OlderRunsAreGarbage) {
  agent::RunId older = kGroupRun;
  older.container = "older";
  std::filesystem::create_directories(paths_.meta_run(older));
  std::filesystem::create_directories(paths_.sandbox(older));
  EXPECT_THAT(recover().garbage,
              testing::IsSupersetOf({paths_.meta_run(older), paths_.sandbox(older)}));
}

TEST_F(Recover, OldAgentsDidNotSayWhichExecutorsAreGenerated) {
  std::filesystem::remove(paths_.executor_generated(kRunning, "run"));
  std::filesystem::remove(paths_.executor_generated(kGroup, "default-executor"));
  const RecoveredAgent found = recover();
  EXPECT_TRUE(found.frameworks[0].executors[0].generated_for_command_task);
  EXPECT_FALSE(found.frameworks[2].executors[0].generated_for_command_task);
}

TEST_F(Recover, PidsMayBeMissing) {
  std::filesystem::remove(paths_.forked_pid(kRunningRun));
  std::filesystem::remove(paths_.libprocess_pid(kRunningRun));
  const auto run = recover().frameworks[0].executors[0].run;
  EXPECT_FALSE(run.forked_pid.has_value());
  EXPECT_FALSE(run.libprocess_pid.has_value());
  EXPECT_FALSE(run.http);
}

TEST_F(Recover, PidThatIsNoNumberIsAnErrorAlways) {
  put(paths_.forked_pid(kRunningRun), "12x");
  for (const bool strict : {true, false}) {
    const auto found = recover_meta(work_.work_dir(), strict);
    ASSERT_FALSE(found.has_value());
    EXPECT_THAT(found.error().message, HasSubstr(paths_.forked_pid(kRunningRun)));
  }
}

TEST_F(Recover, DriverWinsOverHttp) {
  ASSERT_TRUE(agent::mark_http(paths_, kRunningRun).has_value());
  EXPECT_FALSE(recover().frameworks[0].executors[0].run.http);
}

TEST_F(Recover, TaskWithoutInfoIsPassedOver) {
  put(paths_.task_info(kGroupRun, "a"), "");
  std::filesystem::remove(paths_.task_info(kGroupRun, "b"));
  EXPECT_THAT(recover().frameworks[2].executors[0].run.tasks, IsEmpty());
}

TEST_F(Recover, DamagedTask) {
  put(paths_.task_info(kGroupRun, "a"), "x");
  expect_damage(paths_.task_info(kGroupRun, "a"));
  EXPECT_EQ(1U, recover(false).frameworks[2].executors[0].run.tasks.size());
}

TEST_F(Recover, TaskWithoutUpdates) {
  std::filesystem::remove(paths_.task_updates(kGroupRun, "a"));
  const auto task = recover().frameworks[2].executors[0].run.tasks[0];
  EXPECT_THAT(task.updates, IsEmpty());
  EXPECT_EQ(paths_.task_updates(kGroupRun, "a"), task.log);
}

TEST_F(Recover, DamagedUpdates) {
  const std::string path = paths_.task_updates(kGroupRun, "a");
  const std::string log = content_of(path);
  const std::string damaged = log + std::string("\x02\0\0\0\xFF\xFF", 6) + log + "torn";
  put(path, damaged);
  const auto strict = recover_meta(work_.work_dir(), true);
  ASSERT_FALSE(strict.has_value());
  EXPECT_THAT(strict.error().message, HasSubstr(path));
  EXPECT_EQ(damaged, content_of(path));
  const RecoveredAgent found = recover(false);
  EXPECT_EQ(1, found.errors);
  EXPECT_EQ(2U, found.frameworks[2].executors[0].run.tasks[0].updates.size());
  EXPECT_EQ(log, content_of(path));
  EXPECT_EQ(0, recover().errors);
}

// As agents wrote them before frameworks could have several roles.
TEST_F(Recover, AllocatesWhatWasNot) {
  for (const bool multi_role : {false, true}) {
    RecoveredAgent found = recover();
    auto& framework = found.frameworks[2];
    framework.info.set_role("r");
    framework.info.clear_capabilities();
    if (multi_role) {
      framework.info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE);
    }
    auto& executor = framework.executors[0];
    auto& task = executor.run.tasks[0].task;
    for (auto& resource : *executor.info.mutable_resources()) resource.clear_allocation_info();
    task.mutable_resources(1)->clear_allocation_info();
    ASSERT_TRUE(agent::checkpoint_framework(paths_, framework.info, "").has_value());
    ASSERT_TRUE(agent::checkpoint_executor(paths_, kGroup, executor.info, false).has_value());
    ASSERT_TRUE(agent::checkpoint_task(paths_, kGroupRun, task).has_value());

    const auto again = recover().frameworks[2].executors[0];
    const std::string role = multi_role ? "" : "r";
    EXPECT_EQ(role, again.info.resources(0).allocation_info().role());
    EXPECT_EQ("*", again.run.tasks[0].task.resources(0).allocation_info().role());
    EXPECT_EQ(role, again.run.tasks[0].task.resources(1).allocation_info().role());
  }
}

TEST_F(Recover, CutsTornUpdates) {
  const std::string path = paths_.task_updates(kGroupRun, "a");
  const std::string log = content_of(path);
  for (const std::string& torn : {std::string("\x07"), std::string("\x07\0\0\0abc", 7),
                                  std::string(9, '\0'), std::string(3, '\0')}) {
    put(path, log + torn);
    EXPECT_EQ(2U, recover().frameworks[2].executors[0].run.tasks[0].updates.size());
    EXPECT_EQ(log, content_of(path));
  }
}

TEST_F(Recover, Drains) {
  mesos::v1::DrainConfig config;
  config.set_mark_gone(true);
  ASSERT_TRUE(agent::checkpoint_drain(paths_, config).has_value());
  EXPECT_TRUE(recover().drain->mark_gone());
  ASSERT_TRUE(agent::remove_drain(paths_).has_value());
  ASSERT_TRUE(agent::remove_drain(paths_).has_value());
  EXPECT_FALSE(recover().drain.has_value());
}

TEST_F(Recover, DamagedDrainIsNoErrorEvenIfStrict) {
  put(paths_.drain_config(), "damage");
  const RecoveredAgent found = recover();
  EXPECT_FALSE(found.drain.has_value());
  EXPECT_EQ(0, found.errors);
}

TEST_F(Recover, AfterARebootNoPidIsKnown) {
  put(paths_.boot_id(), "another boot\n");
  RecoveredAgent found = recover();
  EXPECT_TRUE(found.rebooted);
  EXPECT_FALSE(found.frameworks[0].executors[0].run.forked_pid.has_value());
  EXPECT_THAT(found.stale_pid_files,
              UnorderedElementsAre(paths_.forked_pid(kRunningRun), paths_.forked_pid(kEndedRun),
                                   paths_.forked_pid(kGroupRun)));
  EXPECT_TRUE(base::path_exists(paths_.forked_pid(kRunningRun)));

  ASSERT_TRUE(agent::finish_recovery(work_.work_dir(), found).has_value());
  found = recover();
  EXPECT_FALSE(found.rebooted);
  EXPECT_FALSE(found.frameworks[0].executors[0].run.forked_pid.has_value());
  EXPECT_FALSE(base::path_exists(paths_.forked_pid(kRunningRun)));
}

TEST_F(Recover, WithoutABootIdItWasNoReboot) {
  std::filesystem::remove(paths_.boot_id());
  EXPECT_FALSE(recover().rebooted);
  std::filesystem::create_directory(paths_.boot_id());
  EXPECT_FALSE(recover().rebooted);
}

TEST_F(Recover, FilesOfOthersDoNotMatter) {
  put(paths_.meta_agents() + "/latest.17.tmp", "");
  put(paths_.meta_frameworks() + "/notes", "");
  put(paths_.meta_agent() + "/resource_provider_registry/LOG", "");
  put(paths_.meta_runs(kRunning, "run") + "/latest.17.tmp", "");
  put(paths_.task_info(kRunningRun, "run") + ".17.0.tmp", "");
  const RecoveredAgent found = recover();
  EXPECT_EQ(3U, found.frameworks.size());
  EXPECT_EQ(2U, found.garbage.size());
}

TEST_F(Recover, FilesInTheWrongPlace) {
  std::filesystem::copy_file(paths_.task_info(kGroupRun, "a"), paths_.task_info(kGroupRun, "b"),
                             std::filesystem::copy_options::overwrite_existing);
  expect_damage(paths_.task_info(kGroupRun, "b"));
}

}  // namespace
