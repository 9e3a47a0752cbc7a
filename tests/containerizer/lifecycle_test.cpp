// Containers from launch to end.
#include <gtest/gtest.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/containerizer/support.h"

namespace {

using base::concat;
using base::ErrorKind;
using containerizer::ContainerId;
using containerizer::LaunchParameters;
using tests::open_descriptors;
namespace fs = std::filesystem;

const ContainerId kRoot = ContainerId::root_of("root");

class LifecycleTest : public tests::ContainerizerTest {};

TEST_F(LifecycleTest, ExitStatuses) {
  const struct {
    const char* command;
    int status;
  } kCases[] = {
      {"exit 0", 0},
      {"exit 1", 1 << 8},
      {"exit 3", 3 << 8},
      {"exit 255", 255 << 8},
      {"kill -KILL $$", SIGKILL},
      {"kill -TERM $$", SIGTERM},
      {"kill -USR1 $$", SIGUSR1},
      {"no-such-command", 127 << 8},
      // What it leaves behind does not keep it.
      {"sleep 1000 & exit 4", 4 << 8},
      {"(exec sleep 1000) > /dev/null 2>&1 & exit 5", 5 << 8},
  };
  for (size_t i = 0; i < std::size(kCases); ++i) {
    SCOPED_TRACE(kCases[i].command);
    const ContainerId id = ContainerId::root_of(concat("c", i));
    launched(id, kCases[i].command);
    EXPECT_EQ(kCases[i].status, status_of(id));
    // As often as anybody asks.
    EXPECT_EQ(kCases[i].status, status_of(id));
  }
}

TEST_F(LifecycleTest, CommandsThatCannotBeExecuted) {
  ASSERT_TRUE(base::make_directories(sandbox(kRoot)));
  ASSERT_TRUE(base::write_file(sandbox(kRoot) + "/plain", "no program"));
  LaunchParameters nothing;
  nothing.id = kRoot;
  const struct {
    LaunchParameters parameters;
    std::string error;
  } kCases[] = {
      {program(kRoot, {"/no/such"}), "Failed to execute '/no/such': No such file or directory\n"},
      {program(kRoot, {"no-such"}), "Failed to execute 'no-such': No such file or directory\n"},
      {program(kRoot, {sandbox(kRoot) + "/plain"}),
       concat("Failed to execute '", sandbox(kRoot), "/plain': Permission denied\n")},
      {nothing, "Failed to execute '': No such file or directory\n"},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.error);
    launched(test.parameters);
    EXPECT_EQ(1 << 8, status_of(kRoot));
    EXPECT_EQ(test.error, output(kRoot, "stderr"));
    EXPECT_EQ("", output(kRoot));
  }
}

TEST_F(LifecycleTest, WhatTheCommandSees) {
  setenv("LIFECYCLE_TEST", "of the agent", 1);
  LaunchParameters parameters = program(kRoot, {"env"});
  add_variable(&parameters, "A", "b c");
  launched(std::move(parameters));
  EXPECT_EQ(0, status_of(kRoot));
  EXPECT_EQ(concat("MESOS_SANDBOX=", sandbox(kRoot), "\nA=b c\n",
                   "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"),
            output(kRoot));
  unsetenv("LIFECYCLE_TEST");

  launched(kRoot, "pwd; pwd >&2");
  EXPECT_EQ(0, status_of(kRoot));
  EXPECT_EQ(sandbox(kRoot) + "\n", output(kRoot));
  EXPECT_EQ(sandbox(kRoot) + "\n", output(kRoot, "stderr"));

  // Nothing of the agent's descriptors, and no input.
  launched(kRoot, "ls /proc/self/fd; wc -c");
  EXPECT_EQ(0, status_of(kRoot));
  EXPECT_EQ("0\n1\n2\n3\n0\n", output(kRoot));  // 3 is that of ls itself

  // No signal blocked or ignored, whatever the agent does with them.
  launched(kRoot, "grep -E 'SigBlk|SigIgn' /proc/self/status");
  EXPECT_EQ(0, status_of(kRoot));
  EXPECT_EQ("SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n", output(kRoot));
}

TEST_F(LifecycleTest, Signals) {
  launched(kRoot, "trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.01; done");
  await_output(kRoot, "ready");
  ASSERT_TRUE(containers_->kill(kRoot, SIGTERM));
  EXPECT_EQ(7 << 8, status_of(kRoot));
  EXPECT_EQ("ready\ngot it\n", output(kRoot));

  // As soon as the launch has been answered.
  launched(program(kRoot, {"sleep", "1000"}));
  ASSERT_TRUE(containers_->kill(kRoot, SIGTERM));
  EXPECT_EQ(SIGTERM, status_of(kRoot));

  launched(kRoot, "trap '' TERM; echo ready; while :; do sleep 0.01; done");
  await_output(kRoot, "ready");
  ASSERT_TRUE(containers_->kill(kRoot, SIGTERM));
  ASSERT_TRUE(containers_->kill(kRoot, 0));
  settle();
  ASSERT_TRUE(containers_->kill(kRoot, SIGKILL));
  EXPECT_EQ(SIGKILL, status_of(kRoot));
}

TEST_F(LifecycleTest, SignalsThatCannotBeSent) {
  launched(program(kRoot, {"sleep", "1000"}));
  for (const int number : {-1, 65, 1'000'000}) {
    auto sent = containers_->kill(kRoot, number);
    ASSERT_FALSE(sent.has_value());
    EXPECT_EQ("Unable to send signal to container: Invalid argument", sent.error().message);
    EXPECT_EQ(ErrorKind::kInternal, sent.error().kind);
  }
  auto unknown = containers_->kill(ContainerId::root_of("x").child("y"), SIGTERM);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ("Container 'x.y' cannot be found (or is already killed)", unknown.error().message);
  EXPECT_EQ(ErrorKind::kNotFound, unknown.error().kind);
}

TEST_F(LifecycleTest, AnIdIsUsedOnce) {
  launched(kRoot, "echo first; sleep 1000");
  await_output(kRoot, "first");
  auto again = launch(shell(kRoot, "echo second"));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(ErrorKind::kAlreadyExists, again.error().kind);
  EXPECT_EQ("first\n", output(kRoot));
  EXPECT_TRUE(containers_->find(kRoot) != nullptr);

  // Also while it is being destroyed.
  containers_->find(kRoot)->request_destroy();
  again = launch(shell(kRoot, "echo second"));
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(ErrorKind::kAlreadyExists, again.error().kind);
  EXPECT_EQ(SIGKILL, status_of(kRoot));

  // Afterwards it is free; the sandbox stays, with empty output.
  ASSERT_TRUE(base::write_file(sandbox(kRoot) + "/kept", "x"));
  launched(kRoot, "exit 2");
  EXPECT_EQ(2 << 8, status_of(kRoot));
  EXPECT_EQ("", output(kRoot));
  EXPECT_EQ("x", output(kRoot, "kept"));
}

// Whoever hears of the end can use the id at once.
TEST_F(LifecycleTest, AnIdIsFreeWhenTheEndIsKnown) {
  const auto again = [](containerizer::Containerizer& containers,
                        LaunchParameters parameters) -> base::Task<base::Status> {
    (void)co_await containers.wait(parameters.id);
    co_return co_await containers.launch(std::move(parameters));
  };
  launched(kRoot, "exit 0");
  for (int i = 0; i < 5; ++i) {
    const auto status = run(again(*containers_, shell(kRoot, "exit 0")));
    ASSERT_TRUE(status) << status.error().message;
  }
}

TEST_F(LifecycleTest, ManyAtOnce) {
  std::vector<base::Task<void>> tasks;
  int good = 0;
  for (int i = 0; i < 30; ++i) {
    tasks.push_back([](containerizer::Containerizer& containers, LaunchParameters parameters,
                       int status, int* count) -> base::Task<void> {
      const ContainerId id = parameters.id;
      const auto started = co_await containers.launch(std::move(parameters));
      EXPECT_TRUE(started);
      const auto ended = co_await containers.wait(id);
      EXPECT_TRUE(ended.has_value());
      if (ended && ended->status() == status) ++*count;
    }(*containers_, shell(ContainerId::root_of(concat("c", i)), concat("exit ", i)), i << 8,
                                               &good));
  }
  run(base::all_of(std::move(tasks)));
  EXPECT_EQ(30, good);
}

TEST_F(LifecycleTest, Status) {
  launched(kRoot, "sleep 1000");
  const auto container = containers_->find(kRoot);
  ASSERT_NE(nullptr, container);
  EXPECT_EQ(containerizer::Container::State::kRunning, container->state());
  EXPECT_EQ("root", container->status().container_id().value());
  EXPECT_EQ(static_cast<uint32_t>(container->pid()), container->status().executor_pid());
  EXPECT_GT(container->usage_reader()().timestamp(), 1e9);
  auto switchboard = containers_->find_switchboard(kRoot);
  ASSERT_FALSE(switchboard.has_value());
  EXPECT_EQ("I/O switchboard server was disabled for this container", switchboard.error().message);
  switchboard = containers_->find_switchboard(kRoot.child("x"));
  ASSERT_FALSE(switchboard.has_value());
  EXPECT_EQ(ErrorKind::kNotFound, switchboard.error().kind);
  EXPECT_EQ("Unknown container root.x", switchboard.error().message);
}

TEST_F(LifecycleTest, RunsAsTheUserThatIsAskedFor) {
  const passwd* self = getpwuid(geteuid());
  ASSERT_NE(nullptr, self);
  LaunchParameters parameters = shell(kRoot, "id -un; touch mine");
  parameters.command.set_user(self->pw_name);
  launched(parameters);
  EXPECT_EQ(0, status_of(kRoot));
  EXPECT_EQ(concat(self->pw_name, "\n"), output(kRoot));

  if (geteuid() != 0) GTEST_SKIP() << "only root can run commands as somebody else";
  // All the way to the scratch directory must be open for it.
  ASSERT_EQ(0, chmod(scratch_.path().c_str(), 0755));
  const ContainerId other = ContainerId::root_of("other");
  parameters.id = other;
  parameters.command.set_user("nobody");
  launched(parameters);
  EXPECT_EQ(0, status_of(other)) << output(other, "stderr");
  EXPECT_EQ("nobody\n", output(other));
  struct stat info{};
  ASSERT_EQ(0, stat((sandbox(other) + "/stdout").c_str(), &info));
  EXPECT_EQ(getpwnam("nobody")->pw_uid, info.st_uid);

  // A child without a user of its own takes its parent's.
  parameters.command.set_value("sleep 1000");
  launched(parameters);
  launched(other.child("c"), "id -un");
  EXPECT_EQ(0, status_of(other.child("c")));
  EXPECT_EQ("nobody\n", output(other.child("c")));
}

TEST_F(LifecycleTest, NobodyIsSwitchedToUnlessWanted) {
  crash();
  options_.switch_user = false;
  start();
  LaunchParameters parameters = shell(kRoot, "id -u");
  parameters.command.set_user("no-such-user-here");
  launched(parameters);
  EXPECT_EQ(0, status_of(kRoot));
  EXPECT_EQ(concat(geteuid(), "\n"), output(kRoot));
}

// --- Launches that fail ---

class FailedLaunchTest : public tests::ContainerizerTest {
 protected:
  // Fails in each place where a launch can, with its text.
  struct Case {
    LaunchParameters parameters;
    std::string error;
    ErrorKind kind = ErrorKind::kInvalid;
  };
  std::vector<Case> cases(const ContainerId& id) {
    std::vector<Case> all(5);
    for (auto& one : all) one.parameters = shell(id, "exit 0");
    all[0].parameters.command.set_user("no-such-user-here");
    const std::string why =
        "Failed to chown directory to 'no-such-user-here': No such user 'no-such-user-here'";
    all[0].error = id.has_parent()
                       ? concat("Failed to create nested sandbox '", sandbox(id), "': ", why)
                       : concat("Failed to create sandbox: ", why);
    if (!id.has_parent()) all[0].kind = ErrorKind::kInternal;
    auto* secret = all[1].parameters.command.mutable_environment()->add_variables();
    secret->set_name("S");
    secret->set_type(mesos::v1::Environment::Variable::SECRET);
    all[1].error =
        "Cannot resolve the secret of environment variable 'S': no secret resolver is configured";
    all[2].parameters.command.add_uris()->set_value("http://x/");
    all[2].error = "Failed to fetch 'http://x/': Malformed URI (missing path)";
    all[3].parameters.container.emplace().set_type(mesos::v1::ContainerInfo::DOCKER);
    all[3].error = "The provided ContainerInfo is not supported";
    all[4].parameters.id = id.child("x").child("y");
    all[4].error = concat("Parent container ", id.to_string(), ".x does not exist");
    return all;
  }

  void expect_nothing_left(const ContainerId& id) {
    EXPECT_EQ(nullptr, containers_->find(id));
    EXPECT_FALSE(fs::exists(runtime(id)));
    EXPECT_FALSE(fs::exists(sandbox(id)));
    auto termination = wait(id);
    ASSERT_FALSE(termination.has_value());
    EXPECT_EQ(ErrorKind::kNotFound, termination.error().kind);
    EXPECT_EQ(concat("Container ", id.to_string(), " cannot be found"),
              termination.error().message);
  }
};

TEST_F(FailedLaunchTest, LeavesNothing) {
  launched(kRoot, "sleep 1000");
  for (const auto& id : {ContainerId::root_of("other"), kRoot.child("nested")}) {
    for (auto& test : cases(id)) {
      SCOPED_TRACE(test.error);
      const ContainerId failing = test.parameters.id;
      auto status = launch(std::move(test.parameters));
      ASSERT_FALSE(status.has_value());
      EXPECT_EQ(test.error, status.error().message);
      EXPECT_EQ(test.kind, status.error().kind);
      expect_nothing_left(failing);
    }
    // And the id can be used at once.
    launched(id, "exit 6");
    EXPECT_EQ(6 << 8, status_of(id));
  }
}

// A failed launch is answered when nothing is left, so that the next one does not find the id in
// use.
TEST_F(FailedLaunchTest, CanBeTriedAgainAtOnce) {
  const auto twice = [](containerizer::Containerizer& containers, LaunchParameters bad,
                        LaunchParameters good) -> base::Task<base::Status> {
    EXPECT_FALSE((co_await containers.launch(std::move(bad))).has_value());
    co_return co_await containers.launch(std::move(good));
  };
  for (const size_t which : {0U, 1U}) {
    const ContainerId id = ContainerId::root_of(concat("c", which));
    const auto status = run(twice(*containers_, cases(id)[which].parameters, shell(id, "exit 8")));
    ASSERT_TRUE(status) << status.error().message;
    EXPECT_EQ(8 << 8, status_of(id));
    EXPECT_TRUE(fs::exists(sandbox(id)));
  }
}

TEST_F(FailedLaunchTest, KeepsTheEndOfAnEarlierContainer) {
  launched(kRoot, "echo before; exit 5");
  EXPECT_EQ(5 << 8, status_of(kRoot));
  for (const size_t which : {0U, 1U, 2U}) {
    ASSERT_FALSE(launch(cases(kRoot)[which].parameters).has_value());
    EXPECT_EQ(5 << 8, status_of(kRoot));
    EXPECT_EQ("before\n", output(kRoot));
  }
}

TEST_F(FailedLaunchTest, TakesNoDescriptors) {
  size_t before = 0;
  for (int round = 0; round < 4; ++round) {
    // What is opened once and for all is by the end of the first round.
    if (round == 1) before = open_descriptors();
    for (auto& test : cases(ContainerId::root_of("x"))) {
      ASSERT_FALSE(launch(std::move(test.parameters)).has_value());
    }
    launched(kRoot, "exit 0");
    EXPECT_EQ(0, status_of(kRoot));
  }
  EXPECT_EQ(before, open_descriptors());
}

// A client that goes away while its launch is pending takes the container along.
TEST_F(FailedLaunchTest, GivenUpByItsClient) {
  const passwd* self = getpwuid(geteuid());
  ASSERT_NE(nullptr, self);
  LaunchParameters parameters = shell(kRoot, "sleep 1000");
  parameters.command.set_user(self->pw_name);  // looked up on a worker thread: the launch waits
  {
    auto pending = containers_->launch(parameters);
    tests::Ignored ignored;
    pending.start(ignored);
    EXPECT_NE(nullptr, containers_->find(kRoot));
  }
  run(containers_->destroy_all());
  expect_nothing_left(kRoot);
}

TEST_F(FailedLaunchTest, DestroyedBeforeItRuns) {
  const passwd* self = getpwuid(geteuid());
  ASSERT_NE(nullptr, self);
  LaunchParameters parameters = shell(kRoot, "sleep 1000");
  parameters.command.set_user(self->pw_name);
  const auto both = [](containerizer::Containerizer& containers,
                       LaunchParameters wanted) -> base::Task<base::Status> {
    const ContainerId id = wanted.id;
    auto kill = [](containerizer::Containerizer& victims, ContainerId whom) -> base::Task<void> {
      EXPECT_TRUE(victims.kill(whom, SIGUSR1));  // any signal will do
      co_return;
    };
    auto results =
        co_await base::all_of(containers.launch(std::move(wanted)), kill(containers, id));
    co_return std::get<0>(std::move(results));
  };
  auto status = run(both(*containers_, std::move(parameters)));
  ASSERT_FALSE(status.has_value());
  EXPECT_EQ("Container is being destroyed during launch", status.error().message);
  EXPECT_EQ(ErrorKind::kInvalid, status.error().kind);
  expect_nothing_left(kRoot);
}

// --- Containers that cannot be freed ---

// What it starts it ends, but never says so.
class StubbornLauncher final : public containerizer::Launcher {
 public:
  explicit StubbornLauncher(std::unique_ptr<containerizer::Launcher> launcher)
      : launcher_(std::move(launcher)) {}

  base::Result<containerizer::ParkedProcess> start(
      const containerizer::LaunchRequest& request) override {
    return launcher_->start(request);
  }
  base::Task<base::Status> kill_all(const ContainerId& id, int pidfd) override {
    (void)co_await launcher_->kill_all(id, pidfd);
    co_return base::fail("it cannot be ended");
  }
  base::Status cleanup(const ContainerId& id) override { return launcher_->cleanup(id); }
  bool owns_process(const ContainerId& id, pid_t pid) override {
    return launcher_->owns_process(id, pid);
  }
  std::vector<ContainerId> find_containers() override { return launcher_->find_containers(); }

 private:
  const std::unique_ptr<containerizer::Launcher> launcher_;
};

struct KeepsPidfds final : isolators::Isolator {
  explicit KeepsPidfds(std::weak_ptr<const base::Fd>& kept) : pidfd(kept) {}
  std::string_view name() const override { return "keeps"; }
  void set_process(const ContainerId&, const isolators::ContainerConfig&,
                   const std::shared_ptr<const base::Fd>& given) override {
    pidfd = given;
  }
  std::weak_ptr<const base::Fd>& pidfd;
};

class UnfreedTest : public LifecycleTest {
 protected:
  UnfreedTest() { options_.destroy_timeout = std::chrono::seconds(0); }

  std::unique_ptr<containerizer::Launcher> make_launcher() override {
    return std::make_unique<StubbornLauncher>(LifecycleTest::make_launcher());
  }
  std::vector<std::unique_ptr<isolators::Isolator>> make_isolators() override {
    std::vector<std::unique_ptr<isolators::Isolator>> isolators;
    isolators.push_back(std::make_unique<KeepsPidfds>(pidfd_));
    return isolators;
  }

  std::weak_ptr<const base::Fd> pidfd_;
};

TEST_F(UnfreedTest, TheirIsolatorsSeeThatTheDescriptorIsGone) {
  launched(kRoot, "sleep 1000");
  ASSERT_FALSE(pidfd_.expired());
  EXPECT_EQ(pidfd_.lock()->get(), containers_->find(kRoot)->pidfd());
  containers_->find(kRoot)->request_destroy();
  EXPECT_FALSE(wait(kRoot).has_value());
  await([this] { return containers_->containers().empty(); });
  EXPECT_TRUE(pidfd_.expired());
  EXPECT_EQ(1U, containers_->destroy_errors());
  crash();
}

}  // namespace
