// Which directories are left to be collected, when, and which are not.

#include <atomic>
#include <filesystem>
#include <memory>
#include <thread>

#include "tests/agent/tasks/support.h"

namespace {

namespace fs = std::filesystem;
using namespace tests;
using testing::ElementsAre;

class GarbageTest : public TasksTest {
 protected:
  GarbageTest() { flags_ = {"--gc_delay=1hrs"}; }

  // As if all that time had passed.
  void collect_all() {
    agent_->garbage.prune(std::chrono::hours(2));
    await([&] { return agent_->garbage.pending() == 0; });
    settle();
  }

  // Runs a task in executor `id` and ends both. Gives the run.
  agent::RunId run_to_end(const std::string& task_id, bool checkpoint = true) {
    launch(task_id, true, checkpoint);
    const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
    report(task_id, mesos::v1::TASK_FINISHED);
    acknowledge(updates().back());
    kill_container();
    await([&] { return find_executor() == nullptr; });
    return run;
  }

  std::vector<std::string> missing(const std::vector<std::string>& paths) {
    std::vector<std::string> found;
    for (const auto& path : paths) {
      if (!fs::exists(path)) found.push_back(path);
    }
    return found;
  }
};

TEST_F(GarbageTest, WhatRunsIsNotCollected) {
  agent_->garbage.start();
  launch("t");
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  collect_all();
  EXPECT_THAT(missing({paths().sandbox(run), paths().meta_task(run, "t")}), ElementsAre());
  EXPECT_EQ(0U, agent_->garbage.succeeded());
}

TEST_F(GarbageTest, ATaskGoesWhenItsEndIsAcknowledged) {
  agent_->garbage.start();
  launch("t1");
  tasks_->run_task(run_message("t2", false));
  events();
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  report("t1", mesos::v1::TASK_RUNNING);
  const auto running = updates().back();
  report("t1", mesos::v1::TASK_FINISHED);
  acknowledge(running);
  EXPECT_EQ(0U, agent_->garbage.pending());
  acknowledge(updates().back());
  EXPECT_EQ(1U, agent_->garbage.pending());
  collect_all();
  EXPECT_THAT(
      missing({paths().sandbox(run), paths().meta_task(run, "t1"), paths().meta_task(run, "t2")}),
      ElementsAre(paths().meta_task(run, "t1")));
}

TEST_F(GarbageTest, AnExecutorGoesAndItsFrameworkIfItWasTheLast) {
  agent_->garbage.start();
  const auto run = run_to_end("t");
  const std::vector<std::string> all = {
      paths().sandbox(run),  paths().work_executor("f", "e"), paths().work_framework("f"),
      paths().meta_run(run), paths().meta_executor("f", "e"), paths().meta_framework("f"),
  };
  EXPECT_THAT(missing(all), ElementsAre()) << "they stay for a while";
  collect_all();
  EXPECT_EQ(all, missing(all));
  EXPECT_EQ(0U, agent_->garbage.failed());
  EXPECT_TRUE(fs::exists(paths().agent_info()));
}

TEST_F(GarbageTest, AnExecutorStaysUntilAllIsAcknowledged) {
  agent_->garbage.start();
  launch("t");
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  kill_container();
  await_story("t");
  collect_all();
  EXPECT_THAT(missing({paths().sandbox(run), paths().meta_run(run)}), ElementsAre());
  acknowledge(updates().back());
  collect_all();
  EXPECT_FALSE(fs::exists(paths().sandbox(run)));
}

TEST_F(GarbageTest, AnotherExecutorKeepsTheFramework) {
  agent_->garbage.start();
  launch("t1");
  auto other = run_message("t2");
  *other.mutable_task()->mutable_executor() = executor("e2");
  tasks_->run_task(other);
  await_executor("e2");
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  const agent::RunId runs_on{"f", "e2", find_executor("e2")->container_id.to_string()};
  report("t1", mesos::v1::TASK_FINISHED);
  acknowledge(updates().back());
  kill_container();
  await([&] { return find_executor() == nullptr; });
  collect_all();
  EXPECT_THAT(missing({paths().work_executor("f", "e"), paths().meta_executor("f", "e"),
                       paths().sandbox(runs_on), paths().meta_task(runs_on, "t2"),
                       paths().framework_info("f")}),
              ElementsAre(paths().work_executor("f", "e"), paths().meta_executor("f", "e")));
}

// A long-running executor has an old sandbox, but it has just ended.
TEST_F(GarbageTest, TimeCountsFromTheEnd) {
  launch("t");
  const std::string sandbox = find_executor()->sandbox;
  for (const auto& path : {sandbox, paths().work_executor("f", "e"), paths().work_framework("f")}) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(100));
  }
  report("t", mesos::v1::TASK_FINISHED);
  acknowledge(updates().back());
  kill_container();
  await([&] { return find_executor() == nullptr; });
  for (const auto& path : {sandbox, paths().work_executor("f", "e"), paths().work_framework("f")}) {
    EXPECT_LT(fs::file_time_type::clock::now() - fs::last_write_time(path), std::chrono::hours(1));
  }
}

TEST_F(GarbageTest, AnExecutorIdThatIsUsedAgain) {
  agent_->garbage.start();
  const auto old = run_to_end("t1");
  launch("t2");
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  collect_all();
  EXPECT_THAT(missing({paths().sandbox(old), paths().meta_run(old), paths().sandbox(run),
                       paths().meta_task(run, "t2"), paths().executor_info("f", "e"),
                       paths().framework_info("f"), paths().latest_run("f", "e"),
                       paths().meta_latest_run("f", "e")}),
              ElementsAre(paths().sandbox(old), paths().meta_run(old)));
}

TEST_F(GarbageTest, ALaunchThatIsRefusedLeavesWhatItFound) {
  agent_->garbage.start();
  run_to_end("t1");
  has_resources_ = false;
  tasks_->run_task(run_message("t2"));
  await_story("t2");
  collect_all();
  EXPECT_FALSE(fs::exists(paths().work_framework("f")));
  EXPECT_FALSE(fs::exists(paths().meta_framework("f")));
}

// The directory is being made while the framework goes, and is there afterwards.
TEST_F(GarbageTest, ASandboxThatNobodyNeedsAnyMoreWhenItIsMade) {
  tasks_->run_task(run_message("t"));
  internal::ShutdownFrameworkMessage message;
  message.mutable_framework_id()->set_value("f");
  tasks_->shut_down_framework(message);
  ASSERT_FALSE(agent_->state.frameworks.contains("f"));
  await([&] { return count_posted("ExitedExecutorMessage") == 1; });
  EXPECT_TRUE(fs::exists(paths().latest_run("f", "e")));
  EXPECT_EQ(4U, agent_->garbage.pending())
      << "the run's, the executor's, and the framework's of both kinds";
  agent_->garbage.start();
  collect_all();
  EXPECT_FALSE(fs::exists(paths().work_framework("f")));
  EXPECT_FALSE(fs::exists(paths().meta_framework("f")));
}

TEST_F(GarbageTest, AFrameworkThatDoesNotCheckpointHasItsSandboxes) {
  agent_->garbage.start();
  const auto run = run_to_end("t", false);
  collect_all();
  EXPECT_FALSE(fs::exists(paths().work_framework("f")));
  EXPECT_EQ(2U, agent_->garbage.succeeded()) << "the executor's with its run, the framework's";
}

// --- A launch while what it needs is being deleted ---

class SlowGarbageTest : public GarbageTest {
 protected:
  // From here on the test says when deleting `path` goes on.
  void start_slow(const std::string& path) {
    agent_->garbage.options().remove = [path, gate = gate_](const std::string& work_dir,
                                                            const std::string& asked,
                                                            const std::stop_token& stop) {
      if (asked == path) {
        gate->reached = true;
        while (!gate->open && !stop.stop_requested()) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
      }
      return agent::remove_garbage(work_dir, asked, stop);
    };
    agent_->garbage.start();
  }

  void begin_deleting() {
    agent_->garbage.prune(std::chrono::hours(2));
    await([&] { return gate_->reached.load(); });
  }

  struct Gate {
    std::atomic<bool> reached = false;
    std::atomic<bool> open = false;
  };
  const std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
};

TEST_F(SlowGarbageTest, WaitsForTheDeletionOfItsExecutor) {
  start_slow(paths().work_executor("f", "e"));
  run_to_end("t1");
  begin_deleting();
  tasks_->run_task(run_message("t2"));
  settle();
  EXPECT_EQ(nullptr, find_executor());
  EXPECT_EQ(1U, agent_->state.frameworks.at("f").pending_tasks.size());
  gate_->open = true;
  await_executor();
  subscribe();
  EXPECT_THAT(event_names(), ElementsAre("SUBSCRIBED", "LAUNCH"));
  collect_all();
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  EXPECT_THAT(missing({paths().sandbox(run), paths().meta_task(run, "t2"),
                       paths().executor_info("f", "e"), paths().framework_info("f")}),
              ElementsAre());
}

// What was checkpointed of the framework when it came is written again.
TEST_F(SlowGarbageTest, WaitsForTheDeletionOfItsFramework) {
  start_slow(paths().meta_framework("f"));
  run_to_end("t1");
  begin_deleting();
  tasks_->run_task(run_message("t2"));
  settle();
  EXPECT_EQ(nullptr, find_executor());
  gate_->open = true;
  await_executor();
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  EXPECT_THAT(
      missing({paths().sandbox(run), paths().meta_task(run, "t2"), paths().executor_info("f", "e"),
               paths().framework_info("f"), paths().framework_pid("f")}),
      ElementsAre());
}

TEST_F(SlowGarbageTest, IsDroppedIfThatTakesTooLong) {
  agent_->garbage.options().patience = std::chrono::milliseconds(20);
  start_slow(paths().work_executor("f", "e"));
  run_to_end("t1");
  begin_deleting();
  tasks_->run_task(run_message("t2"));
  await_story("t2");
  EXPECT_THAT(story("t2"), ElementsAre("TASK_DROPPED REASON_GC_ERROR"));
  EXPECT_EQ(1U, count_posted("ExitedExecutorMessage") - 1U) << "the first was of the first run";
  gate_->open = true;
  collect_all();
  EXPECT_FALSE(fs::exists(paths().work_framework("f")));
}

TEST_F(SlowGarbageTest, AKillEndsTheWait) {
  start_slow(paths().work_executor("f", "e"));
  run_to_end("t1");
  begin_deleting();
  tasks_->run_task(run_message("t2"));
  tasks_->kill_task(kill_message("t2"));
  await_story("t2");
  EXPECT_THAT(story("t2"), ElementsAre("TASK_KILLED REASON_TASK_KILLED_DURING_LAUNCH"));
  gate_->open = true;
  await([&] { return !agent_->state.frameworks.contains("f"); });
  EXPECT_EQ(nullptr, find_executor());
}

// --- After a restart ---

class RecoveredGarbageTest : public GarbageTest {
 protected:
  void restart_and_recover() {
    restart();
    await([&] { return !agent_->state.recovering; });
    agent_->garbage.start();
  }

  static void set_age(const std::string& path, std::chrono::nanoseconds age) {
    fs::last_write_time(path, fs::file_time_type::clock::now() -
                                  std::chrono::duration_cast<fs::file_time_type::duration>(age));
  }

  void settle_collector() {
    await([&] { return agent_->garbage.succeeded() > 0; });
    settle();
  }
};

TEST_F(RecoveredGarbageTest, TheClockGoesOn) {
  const auto run = run_to_end("t");
  // Of both only the executor's time is over.
  for (const auto& path : {paths().work_executor("f", "e"), paths().meta_executor("f", "e")}) {
    set_age(path, std::chrono::hours(2));
  }
  restart_and_recover();
  await([&] { return !fs::exists(paths().meta_executor("f", "e")); });
  EXPECT_FALSE(fs::exists(paths().sandbox(run)));
  settle();
  EXPECT_TRUE(fs::exists(paths().framework_info("f")));
  EXPECT_TRUE(fs::exists(paths().work_framework("f")));
  EXPECT_EQ(2U, agent_->garbage.pending());
  restart_and_recover();
  EXPECT_EQ(2U, agent_->garbage.pending());
  collect_all();
  EXPECT_FALSE(fs::exists(paths().meta_framework("f")));
  EXPECT_FALSE(fs::exists(paths().work_framework("f")));
}

TEST_F(RecoveredGarbageTest, OlderRunsGoAndTheRunningOneStays) {
  const auto old = run_to_end("t1");
  launch("t2");
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  restart();
  await_executor();
  Call again = call();
  *again.mutable_subscribe()->add_unacknowledged_tasks() = task("t2");
  subscribe(again);
  await([&] { return !agent_->state.recovering; });
  agent_->garbage.start();
  EXPECT_EQ(2U, agent_->garbage.pending());
  collect_all();
  EXPECT_THAT(missing({paths().sandbox(old), paths().meta_run(old), paths().sandbox(run),
                       paths().meta_task(run, "t2")}),
              ElementsAre(paths().sandbox(old), paths().meta_run(old)));
}

TEST_F(RecoveredGarbageTest, ATaskOfAnExecutorThatRunsOn) {
  launch("t1");
  tasks_->run_task(run_message("t2", false));
  events();
  const agent::RunId run{"f", "e", find_executor()->container_id.to_string()};
  report("t1", mesos::v1::TASK_FINISHED);
  acknowledge(updates().back());
  set_age(paths().meta_task(run, "t1"), std::chrono::hours(2));
  restart();
  await_executor();
  Call again = call();
  *again.mutable_subscribe()->add_unacknowledged_tasks() = task("t2");
  subscribe(again);
  await([&] { return !agent_->state.recovering; });
  agent_->garbage.start();
  await([&] { return !fs::exists(paths().meta_task(run, "t1")); });
  settle();
  EXPECT_THAT(missing({paths().sandbox(run), paths().meta_task(run, "t2")}), ElementsAre());
  EXPECT_EQ(0U, agent_->garbage.pending());
}

// Else they would vanish at once: they are as old as their agent.
TEST_F(RecoveredGarbageTest, OtherAgentsGetTheWholeDelay) {
  const std::vector<std::string> others = {paths().agents() + "/S9", paths().meta_agents() + "/S9"};
  for (const auto& path : others) {
    fs::create_directories(path + "/frameworks/f");
    set_age(path, std::chrono::hours(100));
  }
  run_to_end("t");
  for (const auto& path : {paths().work_executor("f", "e"), paths().meta_executor("f", "e")}) {
    set_age(path, std::chrono::hours(2));
  }
  restart_and_recover();
  settle_collector();
  EXPECT_THAT(missing(others), ElementsAre());
  collect_all();
  EXPECT_EQ(others, missing(others));
  EXPECT_TRUE(fs::exists(paths().agent_info()));
}

// Of these no checkpoint tells.
TEST_F(RecoveredGarbageTest, SandboxesOfFrameworksThatDoNotCheckpoint) {
  const auto run = run_to_end("t", false);
  restart_and_recover();
  EXPECT_EQ(1U, agent_->garbage.pending());
  EXPECT_TRUE(fs::exists(paths().sandbox(run)));
  collect_all();
  EXPECT_FALSE(fs::exists(paths().work_framework("f")));
}

}  // namespace
