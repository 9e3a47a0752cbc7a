// A deletion that is cut off anywhere, by kill -9 say: the next start takes what it finds, and
// deletes the rest of it.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "agent/gc/garbage_path.h"
#include "agent/meta/recover.h"
#include "tests/agent/meta/work_dir.h"

namespace {

namespace fs = std::filesystem;
using agent::RecoveredAgent;
using testing::Contains;
using tests::kEnded;
using tests::kEndedRun;

class Interrupted : public testing::Test {
 protected:
  void SetUp() override {
    put_sentinel();
    const auto before = recover();
    ASSERT_TRUE(of_ended(before).run.completed);
    ASSERT_EQ(1, of_ended(before).run.tasks.size());
  }

  void put_sentinel() { tests::put(paths_.sentinel(kEndedRun), ""); }

  RecoveredAgent recover() {
    auto recovered = agent::recover_meta(work_.work_dir(), true);
    EXPECT_TRUE(recovered.has_value()) << recovered.error().message;
    return recovered ? *std::move(recovered) : RecoveredAgent();
  }

  static agent::RecoveredExecutor of_ended(const RecoveredAgent& agent) {
    for (const auto& framework : agent.frameworks) {
      if (framework.info.id().value() == kEnded) return framework.executors.front();
    }
    return {};
  }

  // Begins to delete, then goes on file by file, in the order of names or against it. After each
  // step `check` sees what a start would find.
  template <typename Check>
  void delete_in_steps(const std::string& path, bool backwards, Check check) {
    std::stop_source stop;
    stop.request_stop();
    ASSERT_TRUE(agent::forget_latest(work_.work_dir(), path));
    ASSERT_FALSE(agent::remove_garbage(work_.work_dir(), path, stop.get_token()).has_value());
    check(recover());
    std::vector<std::string> names;
    for (const auto& entry : fs::recursive_directory_iterator(path)) names.push_back(entry.path());
    ASSERT_GE(names.size(), 2U);
    std::ranges::sort(names);
    if (backwards) std::ranges::reverse(names);
    for (const auto& name : names) {
      fs::remove_all(name);
      check(recover());
    }
    // And then the rest.
    ASSERT_TRUE(agent::remove_garbage(work_.work_dir(), path, {}).has_value());
    EXPECT_FALSE(fs::exists(path));
    check(recover());
  }

  tests::RecordedWorkDir work_;
  const agent::MetaPaths& paths_ = work_.paths;
};

class InterruptedWhere : public Interrupted, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Order, InterruptedWhere, testing::Bool());

TEST_P(InterruptedWhere, AFramework) {
  const std::string path = paths_.meta_framework(kEnded);
  delete_in_steps(path, GetParam(), [&](const RecoveredAgent& found) {
    EXPECT_EQ(2, found.frameworks.size());
    EXPECT_FALSE(of_ended(found).info.has_executor_id());
    if (fs::exists(path)) EXPECT_THAT(found.garbage, Contains(path));
    if (fs::exists(path)) EXPECT_THAT(found.garbage, Contains(paths_.work_framework(kEnded)));
  });
}

TEST_P(InterruptedWhere, AnExecutor) {
  const std::string path = paths_.meta_executor(kEnded, kEndedRun.executor);
  delete_in_steps(path, GetParam(), [&](const RecoveredAgent& found) {
    // It was the only one of its framework.
    EXPECT_EQ(2, found.frameworks.size());
    EXPECT_THAT(found.garbage, Contains(paths_.meta_framework(kEnded)));
  });
}

// Its tasks must not be taken for running ones.
TEST_P(InterruptedWhere, ARun) {
  delete_in_steps(paths_.meta_run(kEndedRun), GetParam(), [&](const RecoveredAgent& found) {
    EXPECT_FALSE(of_ended(found).info.has_executor_id());
    EXPECT_THAT(found.garbage, Contains(paths_.meta_framework(kEnded)));
  });
}

// The executor runs on; of the task the agent only told.
TEST_P(InterruptedWhere, ATask) {
  fs::remove(paths_.sentinel(kEndedRun));
  const std::string task = of_ended(recover()).run.tasks.at(0).task.task_id().value();
  const std::string path = paths_.meta_task(kEndedRun, task);
  tests::put(path + "/more", "");
  delete_in_steps(path, GetParam(), [&](const RecoveredAgent& found) {
    EXPECT_EQ(3, found.frameworks.size());
    EXPECT_FALSE(of_ended(found).run.completed);
    EXPECT_EQ(0, of_ended(found).run.tasks.size());
  });
}

TEST_P(InterruptedWhere, ASandbox) {
  const std::string path = paths_.work_executor(kEnded, kEndedRun.executor);
  tests::put(paths_.sandbox(kEndedRun) + "/stdout", "text");
  delete_in_steps(path, GetParam(), [&](const RecoveredAgent& found) {
    EXPECT_TRUE(of_ended(found).run.completed);
    if (fs::exists(path)) EXPECT_THAT(found.garbage, Contains(path));
  });
}

TEST_P(InterruptedWhere, AnotherAgent) {
  tests::put(paths_.meta_agents() + "/S9/slave.info", "not even a record");
  tests::put(paths_.meta_agents() + "/S9/frameworks/f/framework.info", "");
  const std::string path = paths_.meta_agents() + "/S9";
  delete_in_steps(path, GetParam(), [&](const RecoveredAgent& found) {
    EXPECT_EQ(3, found.frameworks.size());
    if (fs::exists(path)) EXPECT_THAT(found.other_agents, Contains(path));
  });
}

}  // namespace
