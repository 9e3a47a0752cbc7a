// Deleting what is left of a container takes its time, on a worker thread; meanwhile its id may be
// asked for again.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <string>
#include <tuple>
#include <vector>

#include "tests/containerizer/support.h"

namespace {

using base::concat;
using containerizer::ContainerId;
namespace fs = std::filesystem;

const ContainerId kRoot = ContainerId::root_of("root");

class RemovalTest : public tests::ContainerizerTest {
 protected:
  // Files to keep a deletion busy for a while.
  static void fill(const std::string& directory) {
    for (int i = 0; i < 2'000; ++i) {
      ASSERT_TRUE(base::write_file(concat(directory, "/file", i), ""));
    }
  }

  void ended(const ContainerId& id) {
    launched(id, "exit 0");
    EXPECT_EQ(0, status_of(id));
  }

  // The container runs, and everything of it is there.
  void expect_whole(const ContainerId& id) {
    await_output(id, "ready");
    EXPECT_TRUE(fs::exists(runtime(id) + "/" + containerizer::kPidFile));
    EXPECT_TRUE(fs::exists(runtime(id) + "/" + containerizer::kConfigFile));
    crash();
    start();
    ASSERT_NE(nullptr, containers_->find(id));
    EXPECT_EQ(containerizer::Container::State::kRunning, containers_->find(id)->state());
  }
};

TEST_F(RemovalTest, LaunchWaitsForARemoval) {
  ended(kRoot);
  fill(sandbox(kRoot));
  fill(runtime(kRoot));
  auto results = run([](containerizer::Containerizer& containers, LaunchParameters again)
                         -> base::Task<std::tuple<base::Status, base::Status>> {
    co_return co_await base::all_of(containers.remove(kRoot), containers.launch(std::move(again)));
  }(*containers_, shell(kRoot, "echo ready; sleep 1000")));
  EXPECT_TRUE(std::get<0>(results));
  EXPECT_TRUE(std::get<1>(results));
  EXPECT_FALSE(fs::exists(sandbox(kRoot) + "/file0"));
  expect_whole(kRoot);
}

// A client that has gone away does not stop the removal that it has asked for.
TEST_F(RemovalTest, RemovalThatNobodyWaitsFor) {
  ended(kRoot);
  fill(sandbox(kRoot));
  {
    auto removal = containers_->remove(kRoot);
    tests::Ignored ignored;
    removal.start(ignored);
  }
  launched(kRoot, "echo ready; sleep 1000");
  EXPECT_FALSE(fs::exists(sandbox(kRoot) + "/file0"));
  expect_whole(kRoot);
}

TEST_F(RemovalTest, TwoRemovalsAtOnce) {
  ended(kRoot);
  fill(sandbox(kRoot));
  auto results = run([](containerizer::Containerizer& containers)
                         -> base::Task<std::tuple<base::Status, base::Status>> {
    co_return co_await base::all_of(containers.remove(kRoot), containers.remove(kRoot));
  }(*containers_));
  EXPECT_TRUE(std::get<0>(results));
  ASSERT_FALSE(std::get<1>(results).has_value());
  EXPECT_EQ(base::ErrorKind::kNotFound, std::get<1>(results).error().kind);
  EXPECT_FALSE(fs::exists(sandbox(kRoot)));
}

// A crash in the middle: what is half deleted is no container any more.
TEST_F(RemovalTest, IsFinishedAfterACrash) {
  ended(kRoot);
  crash();
  const containerizer::RuntimePaths paths(options_.runtime_dir);
  const std::string half = paths.removed() + "/1.2";
  ASSERT_EQ(0, rename(runtime(kRoot).c_str(), half.c_str()));
  ASSERT_EQ(0, unlink((half + "/" + containerizer::kTerminationFile).c_str()));
  start();
  EXPECT_TRUE(containers_->containers().empty());
  await([&] { return !fs::exists(half); });
  ended(kRoot);
  EXPECT_TRUE(remove(kRoot));
  EXPECT_TRUE(fs::is_empty(paths.removed()));
}

// Several ends expire together; one of the ids is taken again before its turn to be deleted comes.
TEST_F(RemovalTest, ExpiryLeavesAnIdAloneThatIsInUseAgain) {
  const ContainerId first = ContainerId::root_of("first");
  const ContainerId second = ContainerId::root_of("second");
  ended(first);
  ended(second);
  fill(runtime(first));
  crash();
  const timespec long_ago[2] = {{.tv_sec = 1, .tv_nsec = 0}, {.tv_sec = 1, .tv_nsec = 0}};
  for (const auto& id : {first, second}) {
    const std::string file = runtime(id) + "/" + containerizer::kTerminationFile;
    ASSERT_EQ(0, utimensat(AT_FDCWD, file.c_str(), long_ago, 0));
  }
  start();
  launched(second, "echo ready; sleep 1000");
  await([&] { return !fs::exists(runtime(first)); });
  settle();
  expect_whole(second);
}

}  // namespace
