// What a new agent makes of the containers of one that was killed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/process.h"
#include "base/sync.h"
#include "tests/containerizer/support.h"

namespace {

using base::concat;
using containerizer::ContainerId;
namespace fs = std::filesystem;

const ContainerId kRoot = ContainerId::root_of("root");
const ContainerId kChild = kRoot.child("child");

class RecoveryTest : public tests::ContainerizerTest {
 protected:
  void restart() {
    crash();
    start();
  }

  // Kills a process that is a child of ours and waits until it is dead, without reaping it.
  static void kill_process(pid_t pid) {
    ::kill(pid, SIGKILL);
    siginfo_t info{};
    ASSERT_EQ(0, waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT | __WALL));
  }

  // Makes the container's record say that it ended that long ago.
  void age(const ContainerId& id, std::chrono::seconds by) {
    const std::string file = runtime(id) + "/" + containerizer::kTerminationFile;
    timespec times[2] = {};
    for (auto& time : times) time.tv_sec = ::time(nullptr) - by.count();
    ASSERT_EQ(0, utimensat(AT_FDCWD, file.c_str(), times, 0)) << file;
  }
};

TEST_F(RecoveryTest, RunningContainersGoOn) {
  launched(kRoot, "while [ ! -e go ]; do sleep 0.01; done; exit 3");
  launched(kChild, "while [ ! -e go ]; do sleep 0.01; done; exit 4");
  const pid_t pid = containers_->find(kRoot)->pid();
  restart();
  ASSERT_EQ(2U, containers_->containers().size());
  const auto container = containers_->find(kRoot);
  EXPECT_EQ(containerizer::Container::State::kRunning, container->state());
  EXPECT_EQ(pid, container->pid());
  auto again = launch(shell(kRoot, "exit 0"));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(base::ErrorKind::kAlreadyExists, again.error().kind);

  ASSERT_TRUE(base::write_file(sandbox(kChild) + "/go", ""));
  EXPECT_EQ(4 << 8, status_of(kChild));
  ASSERT_TRUE(base::write_file(sandbox(kRoot) + "/go", ""));
  EXPECT_EQ(3 << 8, status_of(kRoot));
  // They can be used as before.
  launched(kRoot, "exit 0");
}

TEST_F(RecoveryTest, SignalsAndOutputAfterwards) {
  launched(kRoot, "echo before; trap 'echo after; exit 0' TERM; while :; do sleep 0.01; done");
  await_output(kRoot, "before");
  restart();
  ASSERT_TRUE(containers_->kill(kRoot, SIGTERM));
  EXPECT_EQ(0, status_of(kRoot));
  EXPECT_EQ("before\nafter\n", output(kRoot));
}

TEST_F(RecoveryTest, EndedMeanwhile) {
  launched(kRoot, "sleep 1000");
  launched(kChild, "while [ ! -e go ]; do sleep 0.01; done; exit 5");
  const pid_t pid = containers_->find(kChild)->pid();
  crash();
  ASSERT_TRUE(base::write_file(sandbox(kChild) + "/go", ""));
  siginfo_t info{};
  ASSERT_EQ(0, waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | __WALL));
  start();
  EXPECT_EQ(5 << 8, status_of(kChild));
  EXPECT_EQ(1U, containers_->containers().size());
}

// Its init was killed before it could write a status.
TEST_F(RecoveryTest, KilledMeanwhile) {
  launched(kRoot, "sleep 1000");
  const pid_t pid = containers_->find(kRoot)->pid();
  crash();
  kill_process(pid);
  start();
  EXPECT_EQ(SIGKILL, status_of(kRoot));
}

TEST_F(RecoveryTest, EndsAreKept) {
  launched(kRoot, "sleep 1000");
  launched(kChild, "exit 6");
  EXPECT_EQ(6 << 8, status_of(kChild));
  restart();
  EXPECT_EQ(6 << 8, status_of(kChild));
  containers_->find(kRoot)->request_destroy();
  EXPECT_EQ(SIGKILL, status_of(kRoot));
  restart();
  EXPECT_EQ(SIGKILL, status_of(kRoot));
  EXPECT_EQ(6 << 8, status_of(kChild));
}

// Children go before their parent, also if that one is gone already.
TEST_F(RecoveryTest, ParentDiedMeanwhile) {
  launched(kRoot, "sleep 1000");
  launched(kChild, "sleep 1000");
  launched(kChild.child("grandchild"), "sleep 1000");
  const pid_t pid = containers_->find(kRoot)->pid();
  crash();
  kill_process(pid);
  start();
  tests::Log log;
  const auto note = [](containerizer::Containerizer& containers, ContainerId id,
                       tests::Log* ends) -> base::Task<void> {
    (void)co_await containers.wait(id);
    ends->push_back(std::string(id.value()));
  };
  std::vector<base::Task<void>> waits;
  for (const auto& id : {kRoot, kChild, kChild.child("grandchild")}) {
    waits.push_back(note(*containers_, id, &log));
  }
  run(base::all_of(std::move(waits)));
  EXPECT_EQ((tests::Log{"grandchild", "child", "root"}), log);
  EXPECT_EQ(SIGKILL, status_of(kChild));
  EXPECT_EQ(SIGKILL, status_of(kRoot));
}

TEST_F(RecoveryTest, SessionsAreDestroyed) {
  launched(kRoot, "sleep 1000");
  auto session = shell(kRoot.child("session"), "sleep 1000");
  session.container_class = isolators::ContainerConfig::DEBUG;
  launched(session);
  crash();
  start();
  auto ended = wait(session.id);
  ASSERT_TRUE(ended.has_value()) << ended.error().message;
  EXPECT_EQ(SIGKILL, ended->status());
  EXPECT_EQ(1U, containers_->containers().size());
}

// A launch that the crash cut off before it counted is undone, and whoever asks again gets a new
// one, not the answer that it is there already. It may even run.
TEST_F(RecoveryTest, LaunchThatDidNotCount) {
  launched(kRoot, "echo ready; sleep 1000");
  await_output(kRoot, "ready");
  const pid_t pid = containers_->find(kRoot)->pid();
  crash();
  ASSERT_EQ(0, rename((runtime(kRoot) + "/" + containerizer::kPidFile).c_str(),
                      (runtime(kRoot) + "/" + containerizer::kParkedFile).c_str()));
  start();
  launched(kRoot, "sleep 1000");
  EXPECT_NE(pid, containers_->find(kRoot)->pid());
  EXPECT_EQ("", output(kRoot));

  crash();
  ASSERT_EQ(0, rename((runtime(kRoot) + "/" + containerizer::kPidFile).c_str(),
                      (runtime(kRoot) + "/" + containerizer::kParkedFile).c_str()));
  start();
  auto unknown = wait(kRoot);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(base::ErrorKind::kNotFound, unknown.error().kind);
  EXPECT_FALSE(base::path_exists(runtime(kRoot)));
  EXPECT_FALSE(base::path_exists(sandbox(kRoot)));
}

// The pid is somebody else's by now.
TEST_F(RecoveryTest, StalePidsAreNotTrusted) {
  launched(kRoot, "echo runs; exec sleep 1000");
  await_output(kRoot, "runs");
  const pid_t pid = containers_->find(kRoot)->pid();
  crash();
  kill_process(pid);  // and with it the command
  const pid_t innocent = fork();
  if (innocent == 0) {
    while (true) pause();
  }
  ASSERT_TRUE(
      base::write_file(runtime(kRoot) + "/" + containerizer::kPidFile, concat(innocent, " 1\n")));
  start();
  EXPECT_EQ(SIGKILL, status_of(kRoot));
  EXPECT_EQ(0, ::kill(innocent, 0));
  int status = 0;
  EXPECT_EQ(0, waitpid(innocent, &status, WNOHANG)) << "it was killed";
  kill_process(innocent);
}

TEST_F(RecoveryTest, DamagedConfiguration) {
  for (const std::string& content : {std::string(), std::string("x"), std::string(100, '\0')}) {
    launched(kRoot, "sleep 1000");
    launched(kChild, "sleep 1000");
    crash();
    ASSERT_TRUE(base::write_file(runtime(kChild) + "/" + containerizer::kConfigFile, content));
    start();
    // What it was is lost, so it is ended; its parent is not.
    EXPECT_EQ(SIGKILL, status_of(kChild));
    EXPECT_NE(nullptr, containers_->find(kRoot));
    run(containers_->destroy_all());
  }
}

TEST_F(RecoveryTest, DamagedRecords) {
  launched(kRoot, "exit 3");
  EXPECT_EQ(3 << 8, status_of(kRoot));
  for (const std::string& content : {std::string(), std::string("x"), std::string(100, '\0')}) {
    crash();
    ASSERT_TRUE(base::write_file(runtime(kRoot) + "/" + containerizer::kTerminationFile, content));
    start();
    EXPECT_EQ(3 << 8, status_of(kRoot)) << "the helper's own word is still there";
  }
}

TEST_F(RecoveryTest, WhatIsNoContainerIsLeftAlone) {
  crash();
  const std::string containers = options_.runtime_dir + "/containers";
  ASSERT_TRUE(base::make_directories(containers + "/not a container"));
  ASSERT_TRUE(base::make_directories(containers + "/a.b"));
  ASSERT_TRUE(base::make_directories(containers + "/empty"));
  start();
  run(containers_->destroy_all());
  EXPECT_TRUE(fs::exists(containers + "/not a container"));
  EXPECT_TRUE(fs::exists(containers + "/a.b"));
  // A launch that had come no further.
  EXPECT_FALSE(fs::exists(containers + "/empty"));
}

TEST_F(RecoveryTest, AfterEverythingWasLost) {
  launched(kRoot, "exit 0");
  EXPECT_EQ(0, status_of(kRoot));
  crash();
  fs::remove_all(options_.runtime_dir);  // a reboot
  start();
  EXPECT_TRUE(containers_->containers().empty());
  EXPECT_FALSE(wait(kRoot).has_value());
  launched(kRoot, "exit 1");
  EXPECT_EQ(1 << 8, status_of(kRoot));
}

// --- Retention ---

TEST_F(RecoveryTest, OldEndsAreForgotten) {
  launched(kRoot, "sleep 1000");
  launched(kChild, "exit 0");
  EXPECT_EQ(0, status_of(kChild));
  containers_->find(kRoot)->request_destroy();
  EXPECT_EQ(SIGKILL, status_of(kRoot));
  const ContainerId young = ContainerId::root_of("young");
  launched(young, "exit 1");
  EXPECT_EQ(1 << 8, status_of(young));
  age(kRoot, std::chrono::hours(2));
  restart();
  await([&] { return !fs::exists(runtime(kRoot)); });
  EXPECT_FALSE(wait(kRoot).has_value());
  EXPECT_FALSE(wait(kChild).has_value());
  EXPECT_EQ(1 << 8, status_of(young));
}

TEST_F(RecoveryTest, TooManyEndsAreForgotten) {
  crash();
  options_.termination_retention_count = 2;
  start();
  const auto id = [](int i) { return ContainerId::root_of(concat("c", i)); };
  for (int i = 0; i < 4; ++i) {
    launched(id(i), "exit 0");
    EXPECT_EQ(0, status_of(id(i)));
  }
  await([&] { return !fs::exists(runtime(id(1))); });
  EXPECT_FALSE(wait(id(0)).has_value());
  EXPECT_FALSE(wait(id(1)).has_value());
  EXPECT_EQ(0, status_of(id(2)));
  EXPECT_EQ(0, status_of(id(3)));
}

TEST_F(RecoveryTest, AgeCountsWithoutARestart) {
  crash();
  options_.termination_retention = std::chrono::milliseconds(50);
  start();
  launched(kRoot, "exit 0");
  EXPECT_EQ(0, status_of(kRoot));
  await([&] { return !fs::exists(runtime(kRoot)); });
  EXPECT_FALSE(wait(kRoot).has_value());
}

// --- Crashes in the middle of a launch ---

// Lets no container run before it is told to.
class Gate final : public isolators::Isolator {
 public:
  explicit Gate(base::Event& open) : open_(open) {}
  std::string_view name() const override { return "gate"; }
  base::Task<base::Status> isolate(const ContainerId&, pid_t) override {
    co_await open_.wait();
    co_return {};
  }

 private:
  base::Event& open_;
};

class HalfLaunchedTest : public RecoveryTest {
 protected:
  std::vector<std::unique_ptr<isolators::Isolator>> make_isolators() override {
    std::vector<std::unique_ptr<isolators::Isolator>> isolators;
    isolators.push_back(std::make_unique<Gate>(open_));
    return isolators;
  }

  base::Event open_;
};

TEST_F(HalfLaunchedTest, NeverStarted) {
  pid_t helper = -1;
  {
    auto pending = containers_->launch(shell(kRoot, "touch ran"));
    tests::Ignored ignored;
    pending.start(ignored);
    settle();
    helper = containers_->find(kRoot)->pid();
    ASSERT_GT(helper, 0);
    pending.cancel();
    crash();
  }
  // Its pipe has ended, so it goes by itself, and says so.
  siginfo_t info{};
  ASSERT_EQ(0, waitid(P_PID, static_cast<id_t>(helper), &info, WEXITED | WNOWAIT | __WALL));
  EXPECT_EQ("never started", base::read_file(runtime(kRoot) + "/status").value());
  EXPECT_FALSE(fs::exists(sandbox(kRoot) + "/ran"));

  start();
  run(containers_->destroy_all());
  EXPECT_FALSE(wait(kRoot).has_value());
  EXPECT_FALSE(fs::exists(runtime(kRoot)));
  EXPECT_FALSE(fs::exists(sandbox(kRoot)));
  open_.set();
  launched(kRoot, "exit 0");
  EXPECT_EQ(0, status_of(kRoot));
}

// The same without a crash: nobody wants it any more.
TEST_F(HalfLaunchedTest, GivenUp) {
  {
    auto pending = containers_->launch(shell(kRoot, "touch ran"));
    tests::Ignored ignored;
    pending.start(ignored);
    settle();
    ASSERT_GT(containers_->find(kRoot)->pid(), 0);
  }
  run(containers_->destroy_all());
  EXPECT_FALSE(fs::exists(runtime(kRoot)));
  EXPECT_FALSE(fs::exists(sandbox(kRoot)));
  EXPECT_FALSE(wait(kRoot).has_value());
}

TEST_F(HalfLaunchedTest, AChildWaitsForItsParent) {
  auto root = containers_->launch(shell(kRoot, "sleep 1000"));
  auto child = containers_->launch(shell(kChild, "exit 7"));
  tests::Ignored ignored;
  root.start(ignored);
  child.start(ignored);
  settle();
  EXPECT_FALSE(root.done());
  EXPECT_FALSE(child.done());
  open_.set();
  EXPECT_EQ(7 << 8, status_of(kChild));
  EXPECT_TRUE(root.done() && root.take());
  EXPECT_TRUE(child.done() && child.take());
}

TEST_F(HalfLaunchedTest, AChildEndsWithAParentThatNeverRuns) {
  auto root = containers_->launch(shell(kRoot, "sleep 1000"));
  auto child = containers_->launch(shell(kChild, "exit 7"));
  tests::Ignored ignored;
  root.start(ignored);
  child.start(ignored);
  settle();
  containers_->find(kRoot)->request_destroy();
  run(containers_->destroy_all());
  ASSERT_TRUE(root.done() && child.done());
  EXPECT_FALSE(root.take().has_value());
  EXPECT_FALSE(child.take().has_value());
  EXPECT_FALSE(fs::exists(sandbox(kRoot)));
  EXPECT_FALSE(fs::exists(runtime(kRoot)));
}

// --- Containers that no checkpoint tells of ---

// Has a tree from an earlier run, whose processes take a moment to die.
class OrphanLauncher final : public containerizer::Launcher {
 public:
  explicit OrphanLauncher(tests::Log& log) : log_(log) {}

  base::Result<containerizer::ParkedProcess> start(const containerizer::LaunchRequest&) override {
    return base::fail("nothing is started here");
  }
  base::Task<base::Status> kill_all(const ContainerId& id, int) override {
    log_.push_back("kill " + id.to_string());
    co_await base::sleep_for(std::chrono::milliseconds(5));
    co_return {};
  }
  base::Status cleanup(const ContainerId& id) override {
    log_.push_back("clean up " + id.to_string());
    return {};
  }
  bool owns_process(const ContainerId&, pid_t) override { return false; }
  std::vector<ContainerId> find_containers() override {
    return {kChild.child("grandchild"), kChild, kRoot};
  }

 private:
  tests::Log& log_;
};

class OrphansTest : public RecoveryTest {
 protected:
  std::unique_ptr<containerizer::Launcher> make_launcher() override {
    return std::make_unique<OrphanLauncher>(log_);
  }

  tests::Log log_;
};

// A group cannot be removed as long as there is something in a group below.
TEST_F(OrphansTest, ChildrenGoFirst) {
  run(containers_->destroy_all());
  EXPECT_EQ((tests::Log{"kill root.child.grandchild", "clean up root.child.grandchild",
                        "kill root.child", "clean up root.child", "kill root", "clean up root"}),
            log_);
  EXPECT_EQ(0U, containers_->destroy_errors());
  EXPECT_FALSE(wait(kRoot).has_value());
}

}  // namespace
