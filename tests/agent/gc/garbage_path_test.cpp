#include "agent/gc/garbage_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "agent/meta/paths.h"
#include "base/files.h"
#include "base/strings.h"
#include "tests/scratch.h"

namespace {

namespace fs = std::filesystem;
using agent::remove_garbage;
using base::ErrorKind;

constexpr char kFramework[] = "slaves/S0/frameworks/f";
constexpr char kExecutor[] = "slaves/S0/frameworks/f/executors/e";
constexpr char kRun[] = "slaves/S0/frameworks/f/executors/e/runs/c";

class GarbagePath : public testing::Test {
 protected:
  GarbagePath() { fs::create_directory(work_dir_); }

  std::string at(const std::string& path) const { return work_dir_ + "/" + path; }

  void put(const std::string& path) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << "content";
  }

  bool is_known(const std::string& path) const {
    const auto names = agent::split_garbage_path(work_dir_, path);
    if (!names) {
      EXPECT_EQ(ErrorKind::kInvalid, names.error().kind);
      // Nothing can be done to such a path, whatever is there.
      EXPECT_FALSE(agent::mark_changed(work_dir_, path).has_value());
      EXPECT_FALSE(agent::last_change(work_dir_, path).has_value());
    }
    return names.has_value();
  }

  base::Status remove(const std::string& path) {
    return remove_garbage(work_dir_, at(path), std::stop_token());
  }

  tests::ScratchDirectory scratch_;
  const std::string work_dir_ = scratch_ / "work";
};

TEST_F(GarbagePath, WhatCanBeCollected) {
  for (const std::string path :
       {"slaves/S0", kFramework, kExecutor, kRun,
        "slaves/S0/frameworks/f/executors/e/runs/c/containers/n",
        "slaves/S0/frameworks/f/executors/e/runs/c/containers/n/containers/o", "meta/slaves/S0",
        "meta/slaves/S0/frameworks/f", "meta/slaves/S0/frameworks/f/executors/e",
        "meta/slaves/S0/frameworks/f/executors/e/runs/c",
        "meta/slaves/S0/frameworks/f/executors/e/runs/c/tasks/t", "containers/c",
        "containers/c/containers/n", "slaves/S0/frameworks/with blank/executors/..."}) {
    EXPECT_TRUE(is_known(at(path))) << path;
  }
}

TEST_F(GarbagePath, NothingElse) {
  for (const std::string path :
       {"",
        "slaves",
        "slaves/",
        "slaves/latest",
        "slaves/.",
        "slaves/..",
        "slaves//frameworks/f",
        "slaves/S0/",
        "slaves/S0/frameworks",
        "slaves/S0/frameworks/..",
        "slaves/S0/other/f",
        "slaves/S0/frameworks/../executors/e",
        "slaves/S0/frameworks/f/executors/e/runs",
        "slaves/S0/frameworks/f/executors/e/runs/latest",
        "slaves/S0/frameworks/f/executors/e/runs/c/stdout",
        "slaves/S0/frameworks/f/executors/e/runs/c/other/n",
        "slaves/S0/frameworks/f/executors/e/runs/c/containers/n/other/o",
        "meta",
        "meta/slaves",
        "meta/slaves/latest",
        "meta/slaves/..",
        "meta/resources",
        "meta/resources/x",
        "meta/boot_id",
        "meta/slaves/S0/operations/o",
        "meta/slaves/S0/frameworks/f/executors/e/runs/c/pids/p",
        "meta/slaves/S0/frameworks/f/executors/e/runs/c/tasks/t/containers/n",
        "meta/containers/c",
        "volumes/roles",
        "volumes/roles/r/p",
        "provisioner/containers",
        "containers",
        "containers/..",
        "containers/c/",
        "containers/c/stdout",
        "containers/c/tasks/t"}) {
    EXPECT_FALSE(is_known(at(path))) << path;
  }
  EXPECT_FALSE(is_known("/"));
  EXPECT_FALSE(is_known("slaves/S0"));
  EXPECT_FALSE(is_known(work_dir_));
  EXPECT_FALSE(is_known(work_dir_ + "2/slaves/S0"));
  EXPECT_FALSE(is_known(scratch_ / "slaves/S0"));
  EXPECT_FALSE(agent::split_garbage_path("", "/slaves/S0").has_value() &&
               agent::split_garbage_path("", "slaves/S0").has_value());
  EXPECT_FALSE(agent::split_garbage_path("work", "work/slaves/S0").has_value());
}

TEST_F(GarbagePath, TimesOfItsChange) {
  const std::string path = at(kRun);
  EXPECT_EQ(ErrorKind::kNotFound, agent::last_change(work_dir_, path).error().kind);
  EXPECT_EQ(ErrorKind::kNotFound, agent::mark_changed(work_dir_, path).error().kind);
  fs::create_directories(path);
  fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(5));
  const auto now = std::chrono::system_clock::now();
  const auto old = agent::last_change(work_dir_, path);
  ASSERT_TRUE(old.has_value()) << old.error().message;
  EXPECT_LT(now - *old, std::chrono::hours(6));
  EXPECT_GT(now - *old, std::chrono::hours(4));
  ASSERT_TRUE(agent::mark_changed(work_dir_, path).has_value());
  const auto marked = agent::last_change(work_dir_, path);
  ASSERT_TRUE(marked.has_value());
  EXPECT_GT(*marked, now - std::chrono::hours(1));
}

TEST_F(GarbagePath, RemovesTheDirectoryOnly) {
  put(at(std::string(kRun) + "/stdout"));
  put(at(std::string(kRun) + "/a/b/c"));
  put(at(std::string(kExecutor) + "/runs/other/stdout"));
  ASSERT_TRUE(remove(kRun).has_value());
  EXPECT_FALSE(fs::exists(at(kRun)));
  EXPECT_TRUE(fs::exists(at(std::string(kExecutor) + "/runs/other/stdout")));
  EXPECT_TRUE(remove(kRun).has_value()) << "it is gone already";
  EXPECT_TRUE(remove("meta/slaves/S0/frameworks/f").has_value()) << "there was none";
}

// Neither the directory itself nor what leads to it may be a link.
TEST_F(GarbagePath, FollowsNoLinks) {
  const std::string outside = scratch_ / "outside";
  put(outside + "/executors/e/file");
  put(outside + "/file");
  fs::create_directories(at("slaves/S0/frameworks"));
  fs::create_symlink(outside, at(kFramework));
  EXPECT_FALSE(remove(kExecutor).has_value());
  EXPECT_FALSE(agent::mark_changed(work_dir_, at(kExecutor)).has_value());
  EXPECT_TRUE(remove(kFramework).has_value());
  EXPECT_TRUE(fs::exists(outside + "/executors/e/file"));
  EXPECT_TRUE(fs::exists(outside + "/file"));
  EXPECT_FALSE(fs::is_symlink(at(kFramework))) << "the link itself may go";
}

// As the agent's end, or its death, interrupts it: what is left is not taken for something whole.
TEST_F(GarbagePath, InterruptedItLeavesGarbage) {
  std::stop_source stopped;
  stopped.request_stop();
  struct Case {
    std::string path, info;
  };
  for (const auto& [path, info] :
       {Case{"meta/slaves/S0/frameworks/f", "framework.info"},
        Case{"meta/slaves/S0/frameworks/f/executors/e", "executor.info"},
        Case{"meta/slaves/S0/frameworks/f/executors/e/runs/c/tasks/t", "task.info"}}) {
    put(at(base::concat(path, "/", info)));
    put(at(path + "/other"));
    EXPECT_FALSE(remove_garbage(work_dir_, at(path), stopped.get_token()).has_value());
    EXPECT_FALSE(fs::exists(at(base::concat(path, "/", info))));
    EXPECT_TRUE(fs::exists(at(path + "/other")));
    EXPECT_TRUE(remove(path).has_value());
    EXPECT_FALSE(fs::exists(at(path)));
  }
  // A user's files of these names are no checkpoints.
  put(at(std::string(kRun) + "/task.info"));
  EXPECT_FALSE(remove_garbage(work_dir_, at(kRun), stopped.get_token()).has_value());
  EXPECT_TRUE(fs::exists(at(std::string(kRun) + "/task.info")));
}

TEST_F(GarbagePath, TheLatestRunIsNoMore) {
  const std::string runs = at("meta/slaves/S0/frameworks/f/executors/e/runs");
  put(runs + "/old/executor.sentinel");
  put(runs + "/new/executor.sentinel");
  fs::create_symlink("/moved/elsewhere/runs/new", runs + "/latest");
  ASSERT_TRUE(agent::forget_latest(work_dir_, runs + "/old"));
  ASSERT_TRUE(agent::forget_latest(work_dir_, runs + "/gone"));
  EXPECT_TRUE(fs::is_symlink(runs + "/latest"));
  ASSERT_TRUE(agent::forget_latest(work_dir_, runs + "/new"));
  EXPECT_FALSE(fs::is_symlink(runs + "/latest"));
  EXPECT_TRUE(fs::exists(runs + "/new/executor.sentinel"));
  EXPECT_TRUE(agent::forget_latest(work_dir_, at("slaves/S0/frameworks/none/executors/e/runs/c")));
  EXPECT_FALSE(agent::forget_latest(work_dir_, at("elsewhere")));
}

// A sandbox's link is made on a worker, whenever.
TEST_F(GarbagePath, ARunThatBeginsInTheSameMomentKeepsItsLink) {
  const std::string runs = at("slaves/S0/frameworks/f/executors/e/runs");
  const std::string latest = runs + "/latest";
  put(runs + "/old/file");
  put(runs + "/new/file");
  for (int i = 0; i < 300; ++i) {
    ASSERT_TRUE(agent::replace_latest(latest, runs + "/old"));
    std::thread begins([&] { EXPECT_TRUE(agent::replace_latest(latest, runs + "/new")); });
    EXPECT_TRUE(agent::forget_latest(work_dir_, runs + "/old"));
    begins.join();
    ASSERT_EQ(runs + "/new", fs::read_symlink(latest)) << i;
  }
  EXPECT_EQ(3, std::distance(fs::directory_iterator(runs), {}));
}

// On a worker nobody could tell whether the link is not just being replaced.
TEST_F(GarbagePath, DeletingIsNoReasonToTouchTheLinkToTheLatestRun) {
  const std::string runs = at("meta/slaves/S0/frameworks/f/executors/e/runs");
  put(runs + "/c/executor.sentinel");
  fs::create_symlink(runs + "/c", runs + "/latest");
  EXPECT_TRUE(remove_garbage(work_dir_, runs + "/c", {}));
  EXPECT_FALSE(fs::exists(runs + "/c"));
  EXPECT_TRUE(fs::is_symlink(runs + "/latest"));
}

TEST_F(GarbagePath, EndsWhenItIsStopped) {
  for (int i = 0; i < 100; ++i) put(at(base::concat(kRun, "/", i, "/file")));
  std::stop_source stop;
  stop.request_stop();
  const auto removed = remove_garbage(work_dir_, at(kRun), stop.get_token());
  ASSERT_FALSE(removed.has_value());
  EXPECT_THAT(removed.error().message, testing::HasSubstr(at(kRun)));
  EXPECT_TRUE(fs::exists(at(std::string(kRun) + "/99/file")));
}

}  // namespace
