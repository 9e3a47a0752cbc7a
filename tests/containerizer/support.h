// For tests that run containers, in this process and with the real launch helper, without root.
#pragma once

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/strings.h"
#include "containerizer/containerizer.h"
#include "containerizer/launcher.h"
#include "tests/base/scratch_loop_test.h"

namespace tests {

// Makes every process that a test has started, however deep, come back to this one when its parent
// ends, and tells which are left.
class Offspring {
 public:
  Offspring() { prctl(PR_SET_CHILD_SUBREAPER, 1); }

  // The command lines of those that still run after a moment; kills and reaps them all.
  static std::vector<std::string> collect() {
    constexpr auto kMoment = std::chrono::milliseconds(500);
    const auto deadline = std::chrono::steady_clock::now() + kMoment;
    std::vector<std::string> left;
    while (true) {
      siginfo_t info{};
      if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | __WALL) < 0) return left;  // ECHILD
      if (info.si_pid != 0) continue;  // one that has ended, reaped now
      if (std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
        continue;
      }
      for (const pid_t pid : children()) {
        const auto words = base::read_file(base::concat("/proc/", pid, "/cmdline"));
        left.push_back(base::concat(pid, " ", words ? *words : ""));
        ::kill(pid, SIGKILL);
        waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | __WALL);
      }
    }
  }

 private:
  static std::vector<pid_t> children() {
    const auto text = base::read_file(base::concat("/proc/self/task/", getpid(), "/children"));
    std::vector<pid_t> pids;
    for (std::string_view word : base::split(text ? *text : "", ' ')) {
      if (auto pid = base::parse_number<pid_t>(word)) pids.push_back(*pid);
    }
    return pids;
  }
};

inline size_t open_descriptors() { return base::list_directory("/proc/self/fd").value().size(); }

// A containerizer with the posix launcher on directories of its own. crash() and start() are what
// kill -9 and a new start of the agent come to.
class ContainerizerTest : public ScratchLoopTest {
 protected:
  using ContainerId = containerizer::ContainerId;
  using LaunchParameters = containerizer::LaunchParameters;
  using Termination = containerizer::ContainerTermination;

  ContainerizerTest() {
    options_.work_dir = scratch_ / "work";
    options_.runtime_dir = scratch_ / "run";
    options_.launcher_dir = MESOS_BIN_DIR;
    EXPECT_TRUE(base::make_directories(options_.work_dir));
  }

  void SetUp() override { start(); }

  void TearDown() override {
    if (containers_ != nullptr) {
      run(containers_->destroy_all());
      EXPECT_EQ(0U, containers_->destroy_errors());
      EXPECT_TRUE(containers_->containers().empty());
      containers_.reset();
    }
    EXPECT_EQ(std::vector<std::string>{}, Offspring::collect());
  }

  // What a test adds between the containerizer and the host.
  virtual std::vector<std::unique_ptr<isolators::Isolator>> make_isolators() { return {}; }

  virtual std::unique_ptr<containerizer::Launcher> make_launcher() {
    auto helper = containerizer::HelperImage::load(options_.launcher_dir + "/mesos-containerizer");
    EXPECT_TRUE(helper.has_value()) << helper.error().message;
    return containerizer::make_posix_launcher(*std::move(helper));
  }

  void start() {
    containers_ = std::make_unique<containerizer::Containerizer>(
        containerizer::Services{options_, containerizer::RuntimePaths(options_.runtime_dir),
                                make_launcher(), make_isolators()});
    const auto recovered = containers_->recover();
    ASSERT_TRUE(recovered) << recovered.error().message;
  }
  void crash() { containers_.reset(); }

  static LaunchParameters shell(const ContainerId& id, const std::string& command) {
    LaunchParameters parameters;
    parameters.id = id;
    parameters.command.set_value(command);
    return parameters;
  }
  static LaunchParameters program(const ContainerId& id, std::vector<std::string> words) {
    LaunchParameters parameters;
    parameters.id = id;
    parameters.command.set_shell(false);
    parameters.command.set_value(words.front());
    for (auto& word : words) parameters.command.add_arguments(std::move(word));
    return parameters;
  }
  static void add_variable(LaunchParameters* parameters, const std::string& name,
                           const std::string& value) {
    auto* variable = parameters->command.mutable_environment()->add_variables();
    variable->set_name(name);
    variable->set_value(value);
  }

  base::Status launch(LaunchParameters parameters) {
    return run(containers_->launch(std::move(parameters)));
  }
  // A launch that must succeed.
  void launched(LaunchParameters parameters) {
    const auto status = launch(std::move(parameters));
    ASSERT_TRUE(status) << status.error().message;
  }
  void launched(const ContainerId& id, const std::string& command) { launched(shell(id, command)); }

  base::Result<Termination> wait(const ContainerId& id) { return run(containers_->wait(id)); }
  // The raw status of a container that must end.
  std::optional<int> status_of(const ContainerId& id) {
    auto termination = wait(id);
    EXPECT_TRUE(termination.has_value()) << termination.error().message;
    if (!termination || !termination->has_status()) return std::nullopt;
    return termination->status();
  }
  base::Status remove(const ContainerId& id) { return run(containers_->remove(id)); }

  std::string sandbox(const ContainerId& id) const {
    return containerizer::Sandbox::path_of(options_.work_dir, id);
  }
  std::string runtime(const ContainerId& id) const {
    return containerizer::RuntimePaths(options_.runtime_dir).directory(id);
  }
  // The content of a file in the sandbox; nothing if there is none.
  std::string output(const ContainerId& id, const std::string& name = "stdout") const {
    auto content = base::read_file(base::join_path(sandbox(id), name));
    return content ? *content : "";
  }
  // Waits until the container's stdout has the text.
  void await_output(const ContainerId& id, const std::string& text) {
    await([&] { return output(id).find(text) != std::string::npos; });
  }

  const Offspring offspring_;
  containerizer::Options options_;
  std::unique_ptr<containerizer::Containerizer> containers_;
};

}  // namespace tests
