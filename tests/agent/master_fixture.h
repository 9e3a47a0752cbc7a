// A master and an agent's link to it in one process: real sockets, real messages, no files.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/agent.h"
#include "agent/master/detector.h"
#include "agent/master/master_link.h"
#include "agent/messages.h"
#include "agent/tasks/tasks.h"
#include "base/files.h"
#include "base/stream.h"
#include "base/strings.h"
#include "http/server.h"
#include "libprocess/receiver.h"
#include "libprocess/sender.h"
#include "proto/mesos/internal/messages.pb.h"
#include "tests/base/scratch_loop_test.h"

namespace tests {

// A program with a port of its own that sends and receives messages.
class Program {
 public:
  Program()
      : server_([this](auto& request, auto& writer) { return receiver.handle(request, writer); }) {
    auto fd = base::listen_tcp("127.0.0.1", 0, 64).value();
    address = {0x7F000001, base::local_port(fd.get()).value()};
    scope_.spawn(serve(server_, std::move(fd)));
  }

  libprocess::Upid process(std::string id) const {
    return {std::move(id), address.ip, address.port};
  }
  void send(const std::string& from, const libprocess::Upid& to,
            const google::protobuf::Message& message) {
    sender.send(process(from), to, message.GetDescriptor()->full_name(),
                message.SerializeAsString());
  }
  // Ends every connection, and listens no more.
  void stop() { scope_.cancel(); }
  size_t connections() const { return server_.connections(); }

  libprocess::Receiver receiver;
  libprocess::Sender sender;
  libprocess::Address address;

 private:
  static base::Task<void> serve(http::Server& server, base::Fd fd) {
    co_await server.serve(std::move(fd));
  }

  http::Server server_;
  base::Scope scope_;
};

// What a test decides about masters: the one that leads, if any.
class ChosenDetector final : public agent::MasterDetector {
 public:
  explicit ChosenDetector(base::Result<Leader>& leader, base::Event& changed)
      : leader_(leader), changed_(changed) {}

  base::Task<base::Result<Leader>> detect(Leader previous) override {
    while (leader_ && leader_->has_value() == previous.has_value() &&
           (!previous || (*leader_)->pid() == previous->pid())) {
      changed_.clear();
      co_await changed_.wait();
    }
    co_return leader_;
  }

 private:
  base::Result<Leader>& leader_;
  base::Event& changed_;
};

class MasterTest : public ScratchLoopTest {
 protected:
  using Link = agent::MasterLink;

  MasterTest() {
    for (const char* id : {"master", "slave-observer(1)", "session(1)"}) {
      master_.receiver.install(
          id, [this](const libprocess::Message& message) { received_.push_back(message); });
    }
    info_.set_hostname("host");
    info_.set_port(agent_.address.port);
    options_.advertised = agent_.address;
    options_.registration_backoff_factor = 1ms;
    hooks_.disconnected = [this] { events_.emplace_back("disconnected"); };
    hooks_.running = [this] { events_.emplace_back("running"); };
    hooks_.registered = [this](const mesos::v1::AgentID& id) -> base::Status {
      events_.push_back("registered " + id.value());
      return {};
    };
    hooks_.reregistered = [this](const auto& message) {
      events_.push_back(base::concat("reregistered ", message.reconciliations_size()));
    };
    hooks_.shut_down = [this] { events_.emplace_back("shut down"); };
    hooks_.failed = [this](const base::Error& error) { failure_ = error.message; };
    lead(master_);
    make_tasks();
  }

  // What runs tasks, of an agent of its own: no test here has it run any.
  void make_tasks() {
    containerizer::Options options;
    options.work_dir = scratch_ / "work";
    options.runtime_dir = scratch_ / "run";
    options.launcher_dir = MESOS_BIN_DIR;
    ASSERT_TRUE(base::make_directories(options.work_dir));
    const std::string work_dir = "--work_dir=" + options.work_dir;
    const char* arguments[] = {"mesos-agent", work_dir.c_str(), nullptr};
    const char* environment[] = {nullptr};
    auto flags = agent::load_flags(2, arguments, environment);
    ASSERT_TRUE(flags.has_value()) << flags.error().message;
    auto helper = containerizer::HelperImage::load(options.launcher_dir + "/mesos-containerizer");
    ASSERT_TRUE(helper.has_value()) << helper.error().message;
    containerizer::RuntimePaths paths(options.runtime_dir);
    whole_agent_ = std::make_unique<agent::Agent>(
        *std::move(flags), info_,
        containerizer::Services{std::move(options),
                                std::move(paths),
                                containerizer::make_posix_launcher(*std::move(helper)),
                                {}});
    ASSERT_TRUE(whole_agent_->containers.recover());
    agent::TaskServices services;
    services.to_master = [](const auto&) { return false; };
    services.to_process = [](const auto&, const auto&) {};
    services.has_resources = [](const auto&) { return true; };
    services.operations_settled = []() -> base::Task<void> { co_return; };
    tasks_ = std::make_unique<agent::Tasks>(*whole_agent_, std::move(services));
    operations_ = std::make_unique<agent::Operations>(
        scratch_ / "work", std::vector<mesos::v1::Resource>(), [](const auto&) {});
    operations_->set_agent("S0");
  }

  // As a ZooKeeper would say it.
  void lead(const Program& program) {
    leader_ = agent::make_master_info(program.process("master"), "master.example");
    changed_.set();
  }
  void lead_nobody() {
    leader_ = agent::MasterDetector::Leader();
    changed_.set();
  }

  void start() {
    link_ =
        std::make_unique<Link>(Link::Parts{info_, state_, agent_.receiver, agent_.sender}, options_,
                               std::make_unique<ChosenDetector>(leader_, changed_), hooks_);
    messages_ = std::make_unique<agent::Messages>(
        agent_.receiver,
        agent::MessageContext{*link_, *tasks_, *operations_,
                              [this](const base::Error& error) { failure_ = error.message; }});
    link_->start();
  }

  // The next message of this type; those before it are dropped.
  template <typename T>
  T expect(libprocess::Message* raw = nullptr) {
    T message;
    const std::string name = message.GetDescriptor()->full_name();
    bool found = false;
    await([&] {
      while (!received_.empty() && !found) {
        const libprocess::Message next = std::move(received_.front());
        received_.pop_front();
        found = next.name == name;
        if (found && raw != nullptr) *raw = next;
        if (found) EXPECT_TRUE(message.ParseFromString(next.body)) << name;
      }
      return found;
    });
    return message;
  }
  bool has_received(std::string_view name) const {
    for (const auto& message : received_) {
      if (message.name.ends_with(name)) return true;
    }
    return false;
  }

  libprocess::Upid agent_pid() const { return agent_.process("slave(1)"); }

  mesos::internal::SlaveRegisteredMessage registered(const std::string& id, double timeout = 0) {
    mesos::internal::SlaveRegisteredMessage message;
    message.mutable_slave_id()->set_value(id);
    if (timeout > 0) message.mutable_connection()->set_total_ping_timeout_seconds(timeout);
    return message;
  }
  mesos::internal::SlaveReregisteredMessage reregistered(const std::string& id) {
    mesos::internal::SlaveReregisteredMessage message;
    message.mutable_slave_id()->set_value(id);
    return message;
  }
  mesos::internal::PingSlaveMessage ping(bool connected = true) {
    mesos::internal::PingSlaveMessage message;
    message.set_connected(connected);
    return message;
  }

  // Until the agent is registered as S0.
  void register_agent(double timeout = 0) {
    start();
    expect<mesos::internal::RegisterSlaveMessage>();
    master_.send("master", agent_pid(), registered("S0", timeout));
    expect<mesos::internal::UpdateSlaveMessage>();
    EXPECT_TRUE(link_->registered());
  }

  Program master_;
  Program agent_;
  std::deque<libprocess::Message> received_;  // by the master, and not looked at
  base::Result<agent::MasterDetector::Leader> leader_;
  base::Event changed_;

  mesos::v1::AgentInfo info_;
  agent::State state_;
  Link::Options options_;
  agent::MasterHooks hooks_;
  std::vector<std::string> events_;
  std::string failure_;
  std::unique_ptr<agent::Agent> whole_agent_;
  std::unique_ptr<agent::Tasks> tasks_;
  std::unique_ptr<agent::Operations> operations_;
  std::unique_ptr<Link> link_;
  std::unique_ptr<agent::Messages> messages_;
};

}  // namespace tests
