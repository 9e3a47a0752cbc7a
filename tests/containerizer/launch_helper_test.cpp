// The launch helper, as the posix launcher starts it: what becomes of its LaunchSpec.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/fd_window.h"
#include "base/process.h"
#include "base/stream.h"
#include "tests/base/scratch_loop_test.h"
#include "tests/containerizer/support.h"

namespace {

using base::concat;
using base::Fd;
using containerizer::ContainerId;
using containerizer::ParkedProcess;
using isolators::LaunchSpec;
namespace fs = std::filesystem;

const ContainerId kId = ContainerId::root_of("helper");

class LaunchHelperTest : public tests::ScratchLoopTest {
 protected:
  LaunchHelperTest() {
    auto helper = containerizer::HelperImage::load(MESOS_BIN_DIR "/mesos-containerizer");
    EXPECT_TRUE(helper.has_value());
    launcher_ = containerizer::make_posix_launcher(*std::move(helper));
  }

  void TearDown() override { EXPECT_EQ(std::vector<std::string>{}, tests::Offspring::collect()); }

  static LaunchSpec shell(const std::string& command) {
    LaunchSpec spec;
    spec.executable = "sh";
    spec.arguments = {"sh", "-c", command};
    spec.environment = {"PATH=/usr/bin:/bin"};
    return spec;
  }

  Fd open_file(const std::string& name) const {
    return Fd(open((scratch_ / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  }
  std::string content(const std::string& name) const {
    auto text = base::read_file(scratch_ / name);
    return text ? *text : "";
  }

  // Starts the helper, parked, with its streams in the scratch directory.
  ParkedProcess park(const LaunchSpec& spec, int stdin_fd = -1) {
    const Fd null(open("/dev/null", O_RDONLY | O_CLOEXEC));
    const Fd out = open_file("stdout");
    const Fd err = open_file("stderr");
    const Fd status = open_file("status");
    containerizer::LaunchRequest request;
    request.id = kId;
    request.spec = &spec;
    request.stdin_fd = stdin_fd >= 0 ? stdin_fd : null.get();
    request.stdout_fd = out.get();
    request.stderr_fd = err.get();
    request.status_fd = status.get();
    auto process = launcher_->start(request);
    EXPECT_TRUE(process.has_value()) << process.error().message;
    return process ? *std::move(process) : ParkedProcess{};
  }

  // Sends the message, waits for the helper's end; its own raw status.
  int release(ParkedProcess process, std::string_view message) {
    base::Stream control(std::move(process.control), base::FdWatch::kWrite);
    (void)run(control.write_all(message));
    control = base::Stream(Fd(), base::FdWatch::kWrite);
    return end(process);
  }
  int end(const ParkedProcess& process) {
    auto status = run(base::wait_for_exit(process.pidfd.get()));
    EXPECT_TRUE(launcher_->cleanup(kId));
    return status.value().value();
  }
  int carry_out(const LaunchSpec& spec) {
    return release(park(spec), isolators::encode_launch_spec(spec));
  }

  const tests::Offspring offspring_;
  std::unique_ptr<containerizer::Launcher> launcher_;
};

// The helper's exit code is for whoever looks at it; the status file is the truth.
TEST_F(LaunchHelperTest, PassesTheStatusOn) {
  EXPECT_EQ(3 << 8, carry_out(shell("exit 3")));
  EXPECT_EQ("768", content("status"));
  EXPECT_EQ((128 + SIGTERM) << 8, carry_out(shell("kill -TERM $$")));
  EXPECT_EQ("15", content("status"));
}

TEST_F(LaunchHelperTest, DoesNothingBeforeTheLastByte) {
  const LaunchSpec spec = shell("touch '" + scratch_ / "ran" + "'");
  const std::string message = isolators::encode_launch_spec(spec);
  for (const size_t size :
       {size_t{0}, size_t{1}, size_t{7}, size_t{8}, message.size() / 2, message.size() - 1}) {
    EXPECT_EQ(1 << 8, release(park(spec), message.substr(0, size))) << size;
    EXPECT_EQ("never started", content("status"));
    EXPECT_EQ("", content("stderr"));
  }
  EXPECT_FALSE(fs::exists(scratch_ / "ran"));
}

TEST_F(LaunchHelperTest, RefusesWhatIsNoSpec) {
  const LaunchSpec spec;
  std::string huge = isolators::encode_launch_spec(spec);
  huge[7] = '\x7f';
  for (const std::string& message :
       {std::string("garbage, and more of it"), std::string(64, '\0'), huge,
        isolators::encode_launch_spec(spec).replace(8, 8, std::string(8, '\xff'))}) {
    EXPECT_EQ(1 << 8, release(park(spec), message));
    EXPECT_EQ("never started", content("status"));
  }
}

TEST_F(LaunchHelperTest, EnvironmentIsExactlyTheSpecs) {
  LaunchSpec spec;
  spec.executable = "/usr/bin/env";
  spec.arguments = {"env"};
  spec.environment = {"A=1", "B=", "A=2"};
  EXPECT_EQ(0, carry_out(spec));
  EXPECT_EQ("A=1\nB=\nA=2\n", content("stdout"));
}

TEST_F(LaunchHelperTest, SearchesLikeAShell) {
  ASSERT_TRUE(base::make_directories(scratch_ / "first"));
  ASSERT_TRUE(base::make_directories(scratch_ / "second"));
  ASSERT_TRUE(base::make_directories(scratch_ / "here"));
  const auto program = [&](const std::string& path, const std::string& says, mode_t mode = 0755) {
    ASSERT_TRUE(base::write_file(scratch_ / path, "#!/bin/sh\necho " + says + "\n"));
    ASSERT_EQ(0, chmod((scratch_ / path).c_str(), mode));
  };
  program("first/tool", "first", 0644);
  program("second/tool", "second");
  program("second/only", "only");
  program("here/local", "local");
  const std::string path =
      concat("PATH=", scratch_ / "missing", ":", scratch_ / "first", ":", scratch_ / "second");
  const struct {
    std::string name;
    std::string path;
    std::string output;
    std::string error;
  } kCases[] = {
      {"only", path, "only\n", ""},
      {"tool", path, "second\n", ""},  // the first cannot be executed
      {"local", path, "local\n", ""},  // in the working directory
      {"./local", path, "local\n", ""},
      {"local", "PATH=", "local\n", ""},
      {"none", path, "", "Failed to execute 'none': No such file or directory\n"},
      {"tool", concat("PATH=", scratch_ / "first"), "",
       "Failed to execute 'tool': Permission denied\n"},
      {"", path, "", "Failed to execute '': No such file or directory\n"},
      {std::string(5000, 'x'), path, "", ""},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.name.substr(0, 20));
    LaunchSpec spec;
    spec.working_directory = scratch_ / "here";
    spec.executable = test.name;
    spec.arguments = {"x"};
    spec.environment = {test.path};
    carry_out(spec);
    EXPECT_EQ(test.output, content("stdout"));
    EXPECT_EQ(test.output.empty() ? "256" : "0", content("status"));
    if (!test.error.empty() || !test.output.empty()) {
      EXPECT_EQ(test.error, content("stderr"));
    }
  }
}

TEST_F(LaunchHelperTest, MakesAMissingWorkingDirectory) {
  LaunchSpec spec = shell("pwd");
  spec.working_directory = scratch_ / "made/by/the helper";
  EXPECT_EQ(0, carry_out(spec));
  EXPECT_EQ(spec.working_directory + "\n", content("stdout"));
  EXPECT_TRUE(fs::is_directory(spec.working_directory));
}

TEST_F(LaunchHelperTest, StepsThatFail) {
  ASSERT_TRUE(base::write_file(scratch_ / "file", ""));
  LaunchSpec directory = shell("exit 0");
  directory.working_directory = scratch_ / "file";
  LaunchSpec below = shell("exit 0");
  below.working_directory = scratch_ / "file/below";
  LaunchSpec mount = shell("exit 0");
  mount.mounts = {{"none", scratch_ / "no-such-target", "no-such-type", "", 0}};
  LaunchSpec terminal = shell("exit 0");
  terminal.controlling_terminal = true;
  const struct {
    const LaunchSpec& spec;
    std::string error;
  } kCases[] = {
      {directory, "Failed to change to working directory '" + scratch_ / "file" + "': "},
      {below, "Failed to change to working directory '" + scratch_ / "file/below" + "': "},
      {mount, "Failed to mount '" + scratch_ / "no-such-target" + "': "},
      {terminal, "Failed to take as controlling terminal 'stdin': "},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.error);
    EXPECT_EQ(1 << 8, carry_out(test.spec));
    EXPECT_EQ("256", content("status"));
    EXPECT_TRUE(content("stderr").starts_with(test.error)) << content("stderr");
  }
}

// Any file will do for an entrance.
TEST_F(LaunchHelperTest, JoinsItsGroups) {
  LaunchSpec spec = shell("ls /proc/self/fd");
  for (const char* name : {"first", "second", "third"}) spec.groups.push_back(open_file(name));
  ParkedProcess process = park(spec);
  // They are joined before anybody knows of the process.
  for (const char* name : {"first", "second", "third"}) EXPECT_EQ("0", content(name));
  spec.groups.clear();
  EXPECT_EQ(0, release(std::move(process), isolators::encode_launch_spec(spec)));
  // None of the helper's descriptors gets to the command; 3 is the directory that ls reads.
  EXPECT_EQ("0\n1\n2\n3\n", content("stdout"));
}

TEST_F(LaunchHelperTest, AGroupThatCannotBeJoined) {
  LaunchSpec spec = shell("exit 0");
  spec.groups.emplace_back(open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const containerizer::LaunchRequest request{.id = kId,
                                             .spec = &spec,
                                             .stdin_fd = null.get(),
                                             .stdout_fd = null.get(),
                                             .stderr_fd = null.get(),
                                             .status_fd = null.get()};
  const auto process = launcher_->start(request);
  ASSERT_FALSE(process.has_value());
  EXPECT_EQ("Failed to start the launch helper: join cgroup: Bad file descriptor",
            process.error().message);
}

TEST_F(LaunchHelperTest, TakesTheTerminal) {
  int master = -1;
  int slave = -1;
  ASSERT_EQ(0, openpty(&master, &slave, nullptr, nullptr, nullptr));
  const Fd own(master);
  const Fd theirs(slave);
  LaunchSpec spec = shell("test -t 0 && : > /dev/tty && echo mine");
  spec.controlling_terminal = true;
  EXPECT_EQ(0, release(park(spec, slave), isolators::encode_launch_spec(spec)));
  EXPECT_EQ("mine\n", content("stdout"));
}

// As somebody at the keyboard sends it, and as the command sends it to its own group: once.
TEST_F(LaunchHelperTest, SignalsToTheGroupComeOnce) {
  int master = -1;
  int slave = -1;
  ASSERT_EQ(0, openpty(&master, &slave, nullptr, nullptr, nullptr));
  const Fd own(master);
  const Fd theirs(slave);
  for (int i = 0; i < 20; ++i) {
    LaunchSpec spec = shell(
        "trap 'echo INT' INT; trap 'echo TERM' TERM; echo ready >&2;"
        "read line; kill -TERM 0; sleep 0.02; exit 0");
    spec.controlling_terminal = true;
    ParkedProcess process = park(spec, slave);
    base::Stream control(std::move(process.control), base::FdWatch::kWrite);
    ASSERT_TRUE(run(control.write_all(isolators::encode_launch_spec(spec))));
    await([&] { return content("stderr").find("ready") != std::string::npos; });
    ASSERT_EQ(1, write(master, "\x03", 1));
    EXPECT_EQ(0, end(process));  // the trap ends `read`
    const std::string caught = content("stdout");
    EXPECT_TRUE(caught == "INT\nTERM\n" || caught == "TERM\nINT\n") << caught;
  }
}

TEST_F(LaunchHelperTest, ManyArguments) {
  LaunchSpec spec = shell("echo $#");
  for (int i = 0; i < 20'000; ++i) spec.arguments.emplace_back("argument");
  EXPECT_EQ(0, carry_out(spec));
  EXPECT_EQ("19999\n", content("stdout"));
  // More than the kernel takes.
  LaunchSpec huge = shell("exit 0");
  huge.environment.push_back("X=" + std::string(200'000, 'x'));
  EXPECT_EQ(1 << 8, carry_out(huge));
  EXPECT_EQ("Failed to execute 'sh': Argument list too long\n", content("stderr"));
}

TEST_F(LaunchHelperTest, ReapsWhatTheCommandLeaves) {
  // The second child outlives its parent and is reparented; the command goes on until it is gone.
  EXPECT_EQ(0, carry_out(shell("(sleep 0.05 &) ; true & wait; exit 0")));
  EXPECT_EQ("0", content("status"));
}

TEST_F(LaunchHelperTest, NamespacesNeedTheLinuxLauncher) {
  LaunchSpec spec;
  spec.clone_namespaces = CLONE_NEWNS;
  containerizer::LaunchRequest request;
  request.id = kId;
  request.spec = &spec;
  auto process = launcher_->start(request);
  ASSERT_FALSE(process.has_value());
  EXPECT_EQ("The posix launcher does not support namespaces", process.error().message);
}

TEST_F(LaunchHelperTest, NoHelperNoContainer) {
  auto missing = containerizer::HelperImage::load(scratch_ / "missing");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(base::ErrorKind::kNotFound, missing.error().kind);

  // No program at all.
  ASSERT_TRUE(base::write_file(scratch_ / "broken", "x"));
  auto broken = containerizer::HelperImage::load(scratch_ / "broken");
  ASSERT_TRUE(broken.has_value());
  launcher_ = containerizer::make_posix_launcher(*std::move(broken));
  ASSERT_TRUE(base::FdWindow::reserve().has_value());
  const size_t before = tests::open_descriptors();
  const Fd null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const LaunchSpec spec = shell("exit 0");
  containerizer::LaunchRequest request;
  request.id = kId;
  request.spec = &spec;
  request.stdin_fd = request.stdout_fd = request.stderr_fd = request.status_fd = null.get();
  auto process = launcher_->start(request);
  ASSERT_FALSE(process.has_value());
  EXPECT_EQ("Failed to start the launch helper: execveat: Exec format error",
            process.error().message);
  EXPECT_EQ(before + 1, tests::open_descriptors());
}

}  // namespace
