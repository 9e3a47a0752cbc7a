// Volumes that come and go while a container runs, and agents that end meanwhile. With
// filesystem/posix, where they are links.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "isolators/filesystem_posix.h"
#include "tests/containerizer/support.h"

namespace {

using containerizer::Allocation;
using containerizer::ContainerId;
namespace fs = std::filesystem;

const ContainerId kRoot = ContainerId::root_of("root");

// Nothing can be written to a file, as on a full disk; links can still be made.
class NoRoomInFiles {
 public:
  NoRoomInFiles() {
    handler_ = signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit none = before_;
    none.rlim_cur = 0;
    EXPECT_EQ(0, setrlimit(RLIMIT_FSIZE, &none));
  }
  NoRoomInFiles(const NoRoomInFiles&) = delete;
  NoRoomInFiles& operator=(const NoRoomInFiles&) = delete;
  ~NoRoomInFiles() {
    setrlimit(RLIMIT_FSIZE, &before_);
    signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int);
};

// An update comes to its end here, if it is to: as if the agent died.
struct Hurdle final : isolators::Isolator {
  explicit Hurdle(const bool& stands) : stands_(stands) {}
  std::string_view name() const override { return "hurdle"; }
  base::Status update(const ContainerId&, const isolators::ContainerConfig&) override {
    if (stands_) return base::fail("died");
    return {};
  }
  const bool& stands_;
};

class UpdateTest : public tests::ContainerizerTest {
 protected:
  UpdateTest() { EXPECT_TRUE(base::make_directories(volume_)); }

  void SetUp() override {
    ContainerizerTest::SetUp();
    // Elsewhere than a standalone container's, which gets no volumes.
    auto parameters = shell(kRoot, "sleep 1000");
    parameters.directory = sandbox_;
    launched(std::move(parameters));
  }

  std::vector<std::unique_ptr<isolators::Isolator>> make_isolators() override {
    std::vector<std::unique_ptr<isolators::Isolator>> isolators;
    isolators.push_back(std::make_unique<Hurdle>(dies_before_));
    isolators.push_back(std::make_unique<isolators::FilesystemPosixIsolator>());
    isolators.push_back(std::make_unique<Hurdle>(dies_after_));
    return isolators;
  }

  Allocation with_volume() const {
    Allocation allocation;
    auto& volume = allocation.volumes.emplace_back();
    volume.set_host_path(volume_);
    volume.set_container_path("data");
    return allocation;
  }

  base::Status update(const Allocation& allocation) {
    return containers_->update(kRoot, allocation);
  }

  bool is_there() const { return fs::is_symlink(fs::symlink_status(sandbox_ + "/data")); }

  void restart() {
    crash();
    dies_before_ = dies_after_ = false;
    start();
  }

  // Whether an update with no resources would be left out because there is nothing to change.
  bool is_settled() const { return containers_->find(kRoot)->config().resources().empty(); }

  const std::string sandbox_ = scratch_ / "work/slaves/a/frameworks/f/executors/e/runs/r";
  const std::string volume_ = scratch_ / "volume";
  bool dies_before_ = false;
  bool dies_after_ = false;
};

TEST_F(UpdateTest, ComesAndGoes) {
  ASSERT_TRUE(update(with_volume()));
  EXPECT_TRUE(is_there());
  restart();
  EXPECT_TRUE(is_settled());
  ASSERT_TRUE(update({}));
  EXPECT_FALSE(is_there());
}

TEST_F(UpdateTest, WhatCannotBeNotedDoesNotCome) {
  {
    const NoRoomInFiles full;
    EXPECT_FALSE(update(with_volume()));
  }
  EXPECT_FALSE(is_there());
  restart();
  EXPECT_FALSE(is_there());
  ASSERT_TRUE(update(with_volume()));
  EXPECT_TRUE(is_there());
}

// What has to go does so all the same.
TEST_F(UpdateTest, WhatCannotBeNotedGoes) {
  ASSERT_TRUE(update(with_volume()));
  {
    const NoRoomInFiles full;
    EXPECT_TRUE(update({}));
  }
  EXPECT_FALSE(is_there());
  restart();
  ASSERT_TRUE(update({}));
  EXPECT_FALSE(is_there());
  ASSERT_TRUE(update(with_volume()));
  EXPECT_TRUE(is_there());
}

TEST_F(UpdateTest, TheNextAgentTakesAwayWhatTheLastOneHasJustGiven) {
  dies_after_ = true;
  EXPECT_FALSE(update(with_volume()));
  EXPECT_TRUE(is_there());
  restart();
  EXPECT_FALSE(is_settled());
  ASSERT_TRUE(update({}));
  EXPECT_FALSE(is_there());
  EXPECT_TRUE(is_settled());
  restart();
  EXPECT_TRUE(is_settled());
}

TEST_F(UpdateTest, TheNextAgentGivesWhatTheLastOneHasNot) {
  dies_before_ = true;
  EXPECT_FALSE(update(with_volume()));
  EXPECT_FALSE(is_there());
  restart();
  EXPECT_FALSE(is_settled());
  ASSERT_TRUE(update(with_volume()));
  EXPECT_TRUE(is_there());
  restart();
  EXPECT_TRUE(is_settled());
  ASSERT_TRUE(update({}));
  EXPECT_FALSE(is_there());
}

}  // namespace
