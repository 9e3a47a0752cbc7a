// Frameworks, executors and tasks in this process, with real containers but without root; the test
// is the master and, where it likes, the executors.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/meta/checkpoints.h"
#include "agent/meta/recover.h"
#include "agent/tasks/tasks.h"
#include "base/uuid.h"
#include "tests/base/scratch_loop_test.h"
#include "tests/containerizer/support.h"

namespace tests {

namespace internal = mesos::internal;
using mesos::v1::TaskState;
using mesos::v1::TaskStatus;

// A message as it was posted.
struct Posted {
  std::string to;  // a process id; "master"
  std::string name;
  std::string bytes;

  template <typename Message>
  Message as() const {
    Message message;
    EXPECT_EQ(Message::descriptor()->full_name(), name);
    EXPECT_TRUE(message.ParseFromString(bytes));
    return message;
  }
};

// What happens to containers besides, as the test says.
struct IsolationScript {
  std::function<base::Task<base::Status>(const isolators::ContainerId&)> prepare;
  std::function<base::Task<base::Status>(const isolators::ContainerId&, pid_t)> isolate;
  std::optional<isolators::Limitation> limitation;  // that each runs into, once it runs
};

class ScriptedIsolator final : public isolators::Isolator {
 public:
  explicit ScriptedIsolator(const IsolationScript& script) : script_(script) {}
  std::string_view name() const override { return "scripted"; }

  base::Task<base::Status> prepare(const isolators::ContainerId& id,
                                   const isolators::ContainerConfig& /*config*/,
                                   isolators::LaunchSpec* /*spec*/) override {
    if (script_.prepare) co_return co_await script_.prepare(id);
    co_return base::Status();
  }
  base::Task<base::Status> isolate(const isolators::ContainerId& id, pid_t pid) override {
    if (script_.isolate) co_return co_await script_.isolate(id, pid);
    co_return base::Status();
  }
  std::optional<base::Task<isolators::Limitation>> watch(
      const isolators::ContainerId& /*id*/) override {
    if (!script_.limitation) return std::nullopt;
    return reached(*script_.limitation);
  }

 private:
  static base::Task<isolators::Limitation> reached(isolators::Limitation limitation) {
    co_return limitation;
  }

  const IsolationScript& script_;
};

class TasksTest : public ScratchLoopTest {
 protected:
  TasksTest() {
    options_.work_dir = scratch_ / "work";
    options_.runtime_dir = scratch_ / "run";
    options_.launcher_dir = MESOS_BIN_DIR;
    EXPECT_TRUE(base::make_directories(options_.work_dir));
  }

  void SetUp() override {
    start();
    agent_->info.mutable_id()->set_value("S0");
    ASSERT_TRUE(agent::checkpoint_agent(paths(), agent_->info));
    connect();
  }

  void TearDown() override {
    if (tasks_ != nullptr) crash_tasks();
    run(agent_->containers.destroy_all());
    agent_.reset();
    EXPECT_EQ(std::vector<std::string>{}, Offspring::collect());
  }

  // --- The agent ---

  void start() {
    const std::string work_dir = "--work_dir=" + options_.work_dir;
    const std::string launcher_dir = "--launcher_dir=" + options_.launcher_dir;
    std::vector<const char*> arguments = {"mesos-agent", work_dir.c_str(), launcher_dir.c_str(),
                                          "--no-switch_user",
                                          "--executor_shutdown_grace_period=50ms"};
    for (const auto& flag : flags_) arguments.push_back(flag.c_str());
    const char* environment[] = {nullptr};
    auto flags = agent::load_flags(static_cast<int>(arguments.size()),
                                   (arguments.push_back(nullptr), arguments.data()), environment);
    ASSERT_TRUE(flags.has_value()) << flags.error().message;
    auto helper = containerizer::HelperImage::load(options_.launcher_dir + "/mesos-containerizer");
    ASSERT_TRUE(helper.has_value());
    std::vector<std::unique_ptr<isolators::Isolator>> isolators;
    isolators.push_back(std::make_unique<ScriptedIsolator>(isolation_));
    mesos::v1::AgentInfo info;
    info.set_hostname("host");
    info.set_port(5051);
    agent_ = std::make_unique<agent::Agent>(
        *std::move(flags), std::move(info),
        containerizer::Services{options_, containerizer::RuntimePaths(options_.runtime_dir),
                                containerizer::make_posix_launcher(*std::move(helper)),
                                std::move(isolators)});
    ASSERT_TRUE(agent_->containers.recover());
    agent::TaskServices services;
    services.to_master = [this](const google::protobuf::Message& message) {
      if (!agent_->state.registered) return false;
      posted_.push_back(
          {"master", message.GetDescriptor()->full_name(), message.SerializeAsString()});
      return true;
    };
    services.to_process = [this](const std::string& pid, const google::protobuf::Message& message) {
      posted_.push_back({pid, message.GetDescriptor()->full_name(), message.SerializeAsString()});
    };
    services.has_resources = [this](const auto&) { return has_resources_; };
    services.operations_settled = [this]() -> base::Task<void> {
      if (settling_) co_await settling_->wait();
    };
    services.resource_version = "0123456789abcdef";
    tasks_ = std::make_unique<agent::Tasks>(*agent_, std::move(services));
    agent_->tasks = tasks_.get();
  }

  void connect() {
    agent_->state.registered = true;
    tasks_->registered();
  }
  void disconnect() {
    agent_->state.registered = false;
    tasks_->disconnected();
  }

  // What kill -9 and a new start of the agent come to; the executors live on.
  void restart() {
    crash_tasks();
    agent_.reset();
    posted_.clear();
    start();
    auto recovered = agent::recover_meta(options_.work_dir, true);
    ASSERT_TRUE(recovered.has_value()) << recovered.error().message;
    ASSERT_TRUE(recovered->info.has_value());
    agent_->info = *recovered->info;
    agent_->state.recovering = true;
    recovery_.spawn(tasks_->recover(*std::move(recovered)));
  }

  void crash_tasks() {
    streams_.clear();
    recovery_.cancel();
    agent_->tasks = nullptr;
    tasks_.reset();
  }

  agent::MetaPaths paths() const { return {options_.work_dir, "S0"}; }

  // --- The master ---

  static mesos::v1::FrameworkInfo framework(const std::string& id, bool checkpoint = true,
                                            bool partition_aware = true) {
    mesos::v1::FrameworkInfo info;
    info.set_user("nobody");
    info.set_name("framework");
    info.mutable_id()->set_value(id);
    info.set_checkpoint(checkpoint);
    info.add_roles("role");
    info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::MULTI_ROLE);
    if (partition_aware) {
      info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
    }
    return info;
  }

  static mesos::v1::ExecutorInfo executor(const std::string& id) {
    mesos::v1::ExecutorInfo info;
    info.mutable_executor_id()->set_value(id);
    info.set_type(mesos::v1::ExecutorInfo::CUSTOM);
    info.mutable_command()->set_value("exec sleep 1000");
    return info;
  }

  static mesos::v1::TaskInfo task(const std::string& id) {
    mesos::v1::TaskInfo info;
    info.set_name(id);
    info.mutable_task_id()->set_value(id);
    info.mutable_agent_id()->set_value("S0");
    auto* cpus = info.add_resources();
    cpus->set_name("cpus");
    cpus->set_type(mesos::v1::Value::SCALAR);
    cpus->mutable_scalar()->set_value(1);
    return info;
  }

  // A task of the custom executor "e".
  static internal::RunTaskMessage run_message(const std::string& id, bool launch_executor = true,
                                              bool checkpoint = true) {
    internal::RunTaskMessage message;
    *message.mutable_framework() = framework("f", checkpoint);
    *message.mutable_task() = task(id);
    *message.mutable_task()->mutable_executor() = executor("e");
    message.set_launch_executor(launch_executor);
    return message;
  }

  static internal::RunTaskGroupMessage group_message(const std::vector<std::string>& ids,
                                                     bool launch_executor = true) {
    internal::RunTaskGroupMessage message;
    *message.mutable_framework() = framework("f");
    *message.mutable_executor() = executor("e");
    for (const auto& id : ids) *message.mutable_task_group()->add_tasks() = task(id);
    message.set_launch_executor(launch_executor);
    return message;
  }

  static internal::KillTaskMessage kill_message(const std::string& id) {
    internal::KillTaskMessage message;
    message.mutable_framework_id()->set_value("f");
    message.mutable_task_id()->set_value(id);
    return message;
  }

  // Updates that the master got, those that were sent again included.
  std::vector<internal::StatusUpdate> updates() const {
    std::vector<internal::StatusUpdate> found;
    for (const auto& posted : posted_) {
      if (posted.to == "master" && posted.name == "mesos.internal.StatusUpdateMessage") {
        found.push_back(posted.as<internal::StatusUpdateMessage>().update());
      }
    }
    return found;
  }

  // The task's updates so far: "TASK_KILLED REASON_...".
  std::vector<std::string> story(const std::string& task_id) const {
    std::vector<std::string> lines;
    for (const auto& update : updates()) {
      const auto& status = update.status();
      if (status.task_id().value() != task_id) continue;
      std::string line = TaskState_Name(status.state());
      if (status.has_reason()) line += " " + TaskStatus::Reason_Name(status.reason());
      lines.push_back(std::move(line));
    }
    return lines;
  }

  void await_story(const std::string& task_id, size_t length = 1) {
    await([&] { return story(task_id).size() >= length; });
  }

  void acknowledge(const internal::StatusUpdate& update) {
    internal::StatusUpdateAcknowledgementMessage message;
    *message.mutable_slave_id() = update.slave_id();
    *message.mutable_framework_id() = update.framework_id();
    *message.mutable_task_id() = update.status().task_id();
    message.set_uuid(update.uuid());
    tasks_->acknowledge(message);
  }

  size_t count_posted(const std::string& name) const {
    size_t count = 0;
    for (const auto& posted : posted_) count += posted.name == "mesos.internal." + name ? 1 : 0;
    return count;
  }

  // --- Executors ---

  using Call = mesos::v1::executor::Call;
  using Event = mesos::v1::executor::Event;

  static Call call(const std::string& executor_id = "e") {
    Call call;
    call.mutable_framework_id()->set_value("f");
    call.mutable_executor_id()->set_value(executor_id);
    return call;
  }

  // The executor subscribes; its events are then in events().
  void subscribe(Call subscribe = call()) {
    auto stream = std::make_shared<agent::EventStream>();
    streams_[subscribe.executor_id().value()] = stream;
    tasks_->subscribe(subscribe, stream);
  }

  // What the executor has been told since it was asked last; "closed" at the end of its stream.
  std::vector<Event> events(const std::string& executor_id = "e") {
    std::vector<Event> taken;
    while (true) {
      auto event = run(base::with_timeout(streams_.at(executor_id)->take(), 15ms));
      if (!event || !*event) return taken;
      taken.push_back(**std::move(event));
    }
  }

  std::vector<std::string> event_names(const std::string& executor_id = "e") {
    std::vector<std::string> names;
    for (const auto& event : events(executor_id)) names.push_back(Event::Type_Name(event.type()));
    return names;
  }

  // The executor reports. Gives the update's uuid.
  std::string report(const std::string& task_id, TaskState state, std::string uuid = {},
                     const std::string& executor_id = "e") {
    if (uuid.empty()) uuid = base::make_uuid_bytes();
    Call update = call(executor_id);
    auto* status = update.mutable_update()->mutable_status();
    status->mutable_task_id()->set_value(task_id);
    status->set_state(state);
    status->set_source(TaskStatus::SOURCE_EXECUTOR);
    status->set_uuid(uuid);
    tasks_->update(update);
    return uuid;
  }

  // Waits until the executor is there to subscribe.
  void await_executor(const std::string& executor_id = "e") {
    await([&] { return find_executor(executor_id) != nullptr; });
  }

  agent::Executor* find_executor(const std::string& executor_id = "e") {
    const auto framework = agent_->state.frameworks.find("f");
    if (framework == agent_->state.frameworks.end()) return nullptr;
    const auto executor = framework->second.executors.find(executor_id);
    return executor == framework->second.executors.end() ? nullptr : &executor->second;
  }

  // A task that its executor runs.
  void launch(const std::string& id, bool launch_executor = true, bool checkpoint = true) {
    tasks_->run_task(run_message(id, launch_executor, checkpoint));
    if (launch_executor) {
      await_executor();
      subscribe();
    }
    await([&] { return !find_executor()->launched_tasks.empty(); });
    events();
  }

  void kill_container(const std::string& executor_id = "e") {
    ASSERT_NE(nullptr, find_executor(executor_id));
    const auto container = agent_->containers.find(find_executor(executor_id)->container_id);
    ASSERT_NE(nullptr, container);
    container->request_destroy();
  }

  Offspring offspring_;
  std::vector<std::string> flags_;
  containerizer::Options options_;
  IsolationScript isolation_;
  bool has_resources_ = true;
  base::Event* settling_ = nullptr;  // set when operations are carried out
  std::vector<Posted> posted_;
  std::map<std::string, std::shared_ptr<agent::EventStream>> streams_;
  std::unique_ptr<agent::Agent> agent_;
  std::unique_ptr<agent::Tasks> tasks_;
  base::Scope recovery_;
};

}  // namespace tests
