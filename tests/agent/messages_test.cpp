#include "agent/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "tests/agent/master_fixture.h"

namespace {

using agent::in;
using agent::LinkState;
using agent::MessageSpec;
using agent::Senders;
using namespace std::chrono_literals;

// What an agent must know of a message: docs of the protocol, one line each.
struct Rule {
  Senders senders;
  bool recovering, disconnected, running, terminating;
};

const std::map<std::string, Rule>& rules() {
  constexpr auto anybody = Senders::kAnybody;
  constexpr auto master = Senders::kMaster;
  static const std::map<std::string, Rule> all = {
      {"AcknowledgeOperationStatusMessage", {master, false, true, true, true}},
      {"ApplyOperationMessage", {master, false, true, true, true}},
      {"AuthenticationCompletedMessage", {anybody, true, true, true, true}},
      {"AuthenticationErrorMessage", {anybody, true, true, true, true}},
      {"AuthenticationFailedMessage", {anybody, true, true, true, true}},
      {"AuthenticationMechanismsMessage", {anybody, true, true, true, true}},
      {"AuthenticationStepMessage", {anybody, true, true, true, true}},
      {"CheckpointResourcesMessage", {master, false, true, true, true}},
      {"DrainSlaveMessage", {master, false, true, true, true}},
      {"ExecutorToFrameworkMessage", {anybody, false, false, true, false}},
      {"FrameworkToExecutorMessage", {anybody, false, false, true, false}},
      {"KillTaskMessage", {master, false, true, true, false}},
      {"PingSlaveMessage", {anybody, true, true, true, true}},
      {"ReconcileOperationsMessage", {master, false, true, true, true}},
      {"RegisterExecutorMessage", {anybody, true, true, true, true}},
      {"ReregisterExecutorMessage", {anybody, true, true, true, true}},
      {"RunTaskGroupMessage", {master, false, true, true, false}},
      {"RunTaskMessage", {master, false, true, true, false}},
      {"ShutdownExecutorMessage", {master, false, false, true, true}},
      {"ShutdownFrameworkMessage", {master, false, false, true, true}},
      {"ShutdownMessage", {master, false, true, true, true}},
      {"SlaveRegisteredMessage", {master, false, true, true, false}},
      {"SlaveReregisteredMessage", {master, false, true, true, false}},
      {"StatusUpdateAcknowledgementMessage",
       {Senders::kMasterIfSoCalled, false, false, true, false}},
      {"StatusUpdateMessage", {anybody, true, true, true, true}},
      {"UpdateFrameworkMessage", {master, false, false, true, false}},
  };
  return all;
}

TEST(MessageTable, has_every_message_that_agents_get) {
  std::set<std::string> expected;
  for (const auto& [name, rule] : rules()) expected.insert("mesos.internal." + name);
  std::set<std::string> found;
  for (const MessageSpec& row : agent::message_table()) found.emplace(row.name);
  EXPECT_EQ(expected, found);
  EXPECT_EQ(found.size(), agent::message_table().size());
  for (const std::string& name : found) {
    EXPECT_NE(nullptr,
              google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name));
  }
}

TEST(MessageTable, says_from_whom_and_when) {
  for (const MessageSpec& row : agent::message_table()) {
    const Rule& rule = rules().at(std::string(row.name.substr(15)));
    EXPECT_EQ(rule.senders, row.senders) << row.name;
    EXPECT_EQ(rule.recovering, (row.states & in(LinkState::kRecovering)) != 0) << row.name;
    EXPECT_EQ(rule.disconnected, (row.states & in(LinkState::kDisconnected)) != 0) << row.name;
    EXPECT_EQ(rule.running, (row.states & in(LinkState::kRunning)) != 0) << row.name;
    EXPECT_EQ(rule.terminating, (row.states & in(LinkState::kTerminating)) != 0) << row.name;
  }
}

class MessagesTest : public tests::MasterTest {};

// Whoever sends whatever: the agent stays what it is.
TEST_F(MessagesTest, outlast_what_makes_no_sense) {
  register_agent();
  const std::string junk[] = {"", "x", std::string(1000, '\xff'), std::string("\x0a\x80", 2)};
  for (const MessageSpec& row : agent::message_table()) {
    for (const std::string& body : junk) {
      // An empty body is a whole message where nothing is required.
      if (row.name.ends_with(".ShutdownMessage") && body.empty()) continue;
      master_.sender.send(master_.process("master"), agent_pid(), row.name, body);
    }
  }
  for (const char* name : {"x", "mesos.internal.RegisterSlaveMessage", "mesos.internal.",
                           "mesos.internal.Nothing", "mesos.scheduler.Call", "PingSlaveMessage"}) {
    master_.sender.send(master_.process("master"), agent_pid(), name, "x");
  }
  master_.send("slave-observer(1)", agent_pid(), ping());
  expect<mesos::internal::PongSlaveMessage>();
  EXPECT_TRUE(link_->registered());
  EXPECT_EQ("", failure_);
}

TEST_F(MessagesTest, are_received_as_long_as_they_exist) {
  register_agent();
  messages_.reset();
  received_.clear();
  master_.send("slave-observer(1)", agent_pid(), ping());
  run(master_.sender.flush());
  run(base::sleep_task(std::chrono::milliseconds(20)));
  EXPECT_TRUE(received_.empty());
}

}  // namespace
