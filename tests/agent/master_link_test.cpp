#include "agent/master/master_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "agent/version.h"
#include "tests/agent/master_fixture.h"

namespace {

using namespace mesos::internal;
using namespace std::chrono_literals;
using agent::LinkState;
using testing::ElementsAre;
using testing::HasSubstr;

class MasterLinkTest : public tests::MasterTest {};

TEST_F(MasterLinkTest, registers_and_tells_what_it_has) {
  hooks_.fill_registration = [](RegisterSlaveMessage* message) {
    auto* resource = message->add_checkpointed_resources();
    resource->set_name("disk");
    resource->set_type(mesos::v1::Value::SCALAR);
  };
  hooks_.fill_update = [](UpdateSlaveMessage* message) {
    auto* operation = message->mutable_operations()->add_operations();
    operation->mutable_info();
    operation->mutable_latest_status()->set_state(mesos::v1::OPERATION_FINISHED);
    operation->mutable_uuid()->set_value("u");
  };
  start();
  EXPECT_EQ(LinkState::kDisconnected, link_->state());
  libprocess::Message raw;
  const auto registration = expect<RegisterSlaveMessage>(&raw);
  EXPECT_EQ("master", raw.to);
  EXPECT_EQ(agent_pid(), raw.from);
  EXPECT_EQ("host", registration.slave().hostname());
  EXPECT_FALSE(registration.slave().has_id());
  EXPECT_EQ("1.12.0", registration.version());
  EXPECT_EQ(8, registration.agent_capabilities_size());
  EXPECT_EQ(1, registration.checkpointed_resources_size());
  EXPECT_EQ(16U, registration.resource_version_uuid().value().size());
  EXPECT_EQ("master.example", state_.master_hostname);
  EXPECT_FALSE(state_.registered);
  EXPECT_FALSE(link_->send(PongSlaveMessage()));
  EXPECT_THAT(events_, ElementsAre("disconnected"));

  master_.send("master", agent_pid(), registered("S0"));
  const auto update = expect<UpdateSlaveMessage>();
  EXPECT_EQ("S0", update.slave_id().value());
  EXPECT_TRUE(update.has_update_oversubscribed_resources());
  EXPECT_FALSE(update.update_oversubscribed_resources());
  EXPECT_EQ(1, update.operations().operations_size());
  EXPECT_TRUE(update.has_resource_providers());
  EXPECT_EQ(registration.resource_version_uuid().value(), update.resource_version_uuid().value());
  EXPECT_EQ(link_->resource_version().value(), update.resource_version_uuid().value());
  EXPECT_EQ("S0", info_.id().value());
  EXPECT_TRUE(state_.registered);
  EXPECT_EQ(LinkState::kRunning, link_->state());
  EXPECT_THAT(events_, ElementsAre("disconnected", "registered S0", "running"));

  // What lacks fields is not sent, and ends nobody.
  EXPECT_TRUE(link_->send(StatusUpdateMessage()));
  EXPECT_TRUE(link_->send(ShutdownMessage()));
  await([&] { return has_received("mesos.internal.ShutdownMessage"); });
  EXPECT_FALSE(has_received("StatusUpdateMessage"));
  EXPECT_EQ(1U, master_.connections());
}

TEST_F(MasterLinkTest, tries_again_until_it_is_answered) {
  start();
  for (int i = 0; i < 5; ++i) expect<RegisterSlaveMessage>();
  master_.send("master", agent_pid(), registered("S0"));
  expect<UpdateSlaveMessage>();
  received_.clear();
  run(base::sleep_task(50ms));
  EXPECT_FALSE(has_received("RegisterSlaveMessage"));
  EXPECT_EQ("", failure_);
}

TEST_F(MasterLinkTest, believes_only_the_master) {
  start();
  expect<RegisterSlaveMessage>();
  master_.send("master(1)", agent_pid(), registered("S0"));
  tests::Program impostor;
  impostor.send("master", agent_pid(), registered("S0"));
  expect<RegisterSlaveMessage>();
  expect<RegisterSlaveMessage>();
  EXPECT_FALSE(link_->registered());
  EXPECT_FALSE(info_.has_id());
}

TEST_F(MasterLinkTest, ends_if_its_id_cannot_be_kept) {
  hooks_.registered = [](const auto&) { return base::fail("the disk is full"); };
  start();
  expect<RegisterSlaveMessage>();
  master_.send("master", agent_pid(), registered("S0"));
  await([&] { return !failure_.empty(); });
  EXPECT_EQ("the disk is full", failure_);
  EXPECT_FALSE(link_->registered());
  EXPECT_FALSE(info_.has_id());
}

TEST_F(MasterLinkTest, registers_again_under_the_id_that_it_has) {
  info_.mutable_id()->set_value("S7");
  hooks_.fill_reregistration = [](ReregisterSlaveMessage* message) {
    message->add_frameworks()->set_name("f");
    message->mutable_frameworks(0)->set_user("u");
  };
  start();
  const auto registration = expect<ReregisterSlaveMessage>();
  EXPECT_EQ("S7", registration.slave().id().value());
  EXPECT_EQ(1, registration.frameworks_size());
  EXPECT_EQ(8, registration.agent_capabilities_size());
  EXPECT_EQ(agent::kMesosVersion, registration.version());
  auto answer = reregistered("S7");
  answer.add_reconciliations()->mutable_framework_id()->set_value("f");
  master_.send("master", agent_pid(), answer);
  EXPECT_EQ("S7", expect<UpdateSlaveMessage>().slave_id().value());
  EXPECT_THAT(events_, ElementsAre("disconnected", "running", "reregistered 1"));
  EXPECT_FALSE(has_received(".RegisterSlaveMessage"));
}

TEST_F(MasterLinkTest, ends_if_it_is_given_another_id) {
  register_agent();
  master_.send("master", agent_pid(), registered("S0"));  // the same again
  expect<UpdateSlaveMessage>();
  EXPECT_EQ("", failure_);
  master_.send("master", agent_pid(), registered("S1"));
  await([&] { return !failure_.empty(); });
  EXPECT_THAT(failure_, HasSubstr("takes the agent, which is S0, for S1"));
  failure_.clear();
  master_.send("master", agent_pid(), reregistered("S1"));
  await([&] { return !failure_.empty(); });
  EXPECT_EQ("S0", info_.id().value());
}

TEST_F(MasterLinkTest, answers_pings_to_who_pings) {
  start();
  expect<RegisterSlaveMessage>();
  // It can come before the answer to the registration.
  master_.send("slave-observer(1)", agent_pid(), ping());
  libprocess::Message pong;
  expect<PongSlaveMessage>(&pong);
  EXPECT_EQ("slave-observer(1)", pong.to);
  EXPECT_EQ(agent_pid(), pong.from);
  EXPECT_EQ("", pong.body);
  EXPECT_FALSE(link_->registered());
}

TEST_F(MasterLinkTest, registers_again_if_the_master_lost_it) {
  register_agent();
  received_.clear();
  master_.send("slave-observer(1)", agent_pid(), ping(false));
  expect<PongSlaveMessage>();
  expect<ReregisterSlaveMessage>();
  EXPECT_FALSE(state_.registered);
  master_.send("master", agent_pid(), reregistered("S0"));
  expect<UpdateSlaveMessage>();
  EXPECT_TRUE(state_.registered);
  EXPECT_THAT(events_, ElementsAre("disconnected", "registered S0", "running", "disconnected",
                                   "running", "reregistered 0"));
}

TEST_F(MasterLinkTest, looks_for_a_silent_master_again) {
  const auto now = [] { return std::chrono::steady_clock::now(); };
  register_agent(0.3);
  // Pings put it off, if they come in time.
  auto sent = now();
  auto silence = 0ns;
  for (int i = 0; i < 8; ++i) {
    const auto previous = std::exchange(sent, now());
    master_.send("slave-observer(1)", agent_pid(), ping());
    expect<PongSlaveMessage>();
    silence = std::max(silence, now() - previous);
    run(base::sleep_task(50ms));
  }
  silence = std::max(silence, now() - sent);
  if (silence < 300ms) EXPECT_TRUE(link_->registered());
  await([&] { return !link_->registered(); });
  expect<ReregisterSlaveMessage>();
}

TEST_F(MasterLinkTest, stays_registered_when_its_connection_ends) {
  register_agent();
  agent_.sender.unlink(master_.process("master"));
  received_.clear();
  run(base::sleep_task(50ms));
  EXPECT_TRUE(link_->registered());
  EXPECT_FALSE(has_received("ReregisterSlaveMessage"));
  // What is sent goes over a connection for just that.
  link_->send_update();
  expect<UpdateSlaveMessage>();
}

TEST_F(MasterLinkTest, follows_a_new_leader) {
  register_agent();
  tests::Program second;
  std::vector<std::string> names;
  second.receiver.install("master", [&](const auto& message) { names.push_back(message.name); });
  lead(second);
  await([&] { return !names.empty(); });
  EXPECT_EQ("mesos.internal.ReregisterSlaveMessage", names[0]);
  EXPECT_FALSE(link_->registered());
  // The one before has nothing to say any more.
  master_.send("master", agent_pid(), reregistered("S0"));
  run(base::sleep_task(20ms));
  EXPECT_FALSE(link_->registered());
  second.send("master", agent_pid(), reregistered("S0"));
  await([&] { return link_->registered(); });
  await([&] { return master_.connections() == 0; });
}

TEST_F(MasterLinkTest, waits_while_nobody_leads) {
  register_agent();
  lead_nobody();
  await([&] { return !link_->registered(); });
  EXPECT_EQ("", state_.master_hostname);
  EXPECT_TRUE(link_->master_pid().empty());
  received_.clear();
  run(base::sleep_task(30ms));
  EXPECT_TRUE(received_.empty());
  lead(master_);
  expect<ReregisterSlaveMessage>();
}

TEST_F(MasterLinkTest, ends_if_nobody_can_be_detected) {
  register_agent();
  leader_ = base::fail("the session is gone");
  changed_.set();
  await([&] { return !failure_.empty(); });
  EXPECT_EQ("No master can be detected: the session is gone", failure_);
}

TEST_F(MasterLinkTest, outlasts_a_master_that_is_not_there) {
  const libprocess::Address address = master_.address;
  master_.stop();
  start();
  run(base::sleep_task(30ms));
  EXPECT_FALSE(link_->registered());
  // It comes to the same port.
  std::vector<std::string> names;
  libprocess::Receiver receiver;
  receiver.install("master", [&](const auto& message) { names.push_back(message.name); });
  http::Server server(
      [&](auto& request, auto& writer) { return receiver.handle(request, writer); });
  base::Scope scope;
  auto serve = [](http::Server& on, base::Fd fd) -> base::Task<void> {
    co_await on.serve(std::move(fd));
  };
  scope.spawn(serve(server, base::listen_tcp("127.0.0.1", address.port, 16).value()));
  await([&] { return !names.empty(); });
  EXPECT_EQ("mesos.internal.RegisterSlaveMessage", names[0]);
}

TEST_F(MasterLinkTest, shuts_down_when_the_master_says_so) {
  register_agent();
  ShutdownMessage order;
  order.set_message("Agent has been marked gone");
  tests::Program impostor;
  impostor.send("master", agent_pid(), order);
  run(base::sleep_task(20ms));
  EXPECT_EQ(LinkState::kRunning, link_->state());
  received_.clear();
  master_.send("master", agent_pid(), order);
  await([&] { return events_.back() == "shut down"; });
  EXPECT_EQ(LinkState::kTerminating, link_->state());
  EXPECT_FALSE(state_.registered);
  // What its frameworks send meanwhile still gets there, and nothing else.
  EXPECT_TRUE(link_->send(AuthenticationFailedMessage()));
  expect<AuthenticationFailedMessage>();
  master_.send("slave-observer(1)", agent_pid(), ping(false));
  expect<PongSlaveMessage>();
  lead_nobody();
  lead(master_);
  master_.send("master", agent_pid(), order);  // once is enough
  run(base::sleep_task(50ms));
  EXPECT_TRUE(received_.empty());
  EXPECT_EQ(1, std::ranges::count(events_, "shut down"));
}

TEST_F(MasterLinkTest, unregisters) {
  register_agent();
  link_->unregister();
  EXPECT_EQ("S0", expect<UnregisterSlaveMessage>().slave_id().value());
  EXPECT_EQ("shut down", events_.back());
  EXPECT_EQ(LinkState::kTerminating, link_->state());
}

TEST_F(MasterLinkTest, has_nothing_to_unregister_without_an_id) {
  start();
  expect<RegisterSlaveMessage>();
  link_->unregister();
  EXPECT_EQ("shut down", events_.back());
  run(agent_.sender.flush());
  EXPECT_FALSE(has_received("UnregisterSlaveMessage"));
}

// --- Authentication ---

class MasterAuthenticationTest : public tests::MasterTest {
 protected:
  MasterAuthenticationTest() {
    options_.credential = {"agentp", "secret"};
    options_.authentication_backoff_factor = 1ms;
    options_.authentication_timeout_min = 10s;
  }

  // Up to the proof of the agent, and its process.
  AuthenticationStepMessage converse(libprocess::Upid* authenticatee) {
    libprocess::Message raw;
    const auto begin = expect<AuthenticateMessage>(&raw);
    EXPECT_EQ(agent_pid().to_string(), begin.pid());
    EXPECT_EQ("master", raw.to);
    EXPECT_THAT(raw.from.id, HasSubstr("crammd5-authenticatee("));
    *authenticatee = raw.from;
    AuthenticationMechanismsMessage mechanisms;
    mechanisms.add_mechanisms("CRAM-MD5");
    master_.send("session(1)", raw.from, mechanisms);
    const auto started = expect<AuthenticationStartMessage>(&raw);
    EXPECT_EQ("session(1)", raw.to);
    EXPECT_EQ("CRAM-MD5", started.mechanism());
    EXPECT_TRUE(started.has_data());
    EXPECT_EQ("", started.data());
    AuthenticationStepMessage challenge;
    challenge.set_data("<1896.697170952@postoffice.reston.mci.net>");
    master_.send("session(1)", raw.from, challenge);
    const auto proof = expect<AuthenticationStepMessage>(&raw);
    EXPECT_EQ("session(1)", raw.to);
    return proof;
  }
};

TEST_F(MasterAuthenticationTest, proves_its_credential_and_registers) {
  // From RFC 2195.
  options_.credential = {"tim", "tanstaaftanstaaf"};
  start();
  libprocess::Upid authenticatee;
  EXPECT_EQ("tim b913a602c7eda7a495b4e6e7334d3890", converse(&authenticatee).data());
  EXPECT_FALSE(has_received("RegisterSlaveMessage"));
  master_.send("session(1)", authenticatee, AuthenticationCompletedMessage());
  expect<RegisterSlaveMessage>();
  master_.send("master", agent_pid(), registered("S0"));
  expect<UpdateSlaveMessage>();
  // The same master forgets it when the agent is lost.
  master_.send("slave-observer(1)", agent_pid(), ping(false));
  libprocess::Upid again;
  converse(&again);
  EXPECT_NE(authenticatee, again);
  EXPECT_FALSE(has_received("ReregisterSlaveMessage"));
}

TEST_F(MasterAuthenticationTest, ends_if_it_is_refused) {
  start();
  libprocess::Upid authenticatee;
  converse(&authenticatee);
  master_.send("session(1)", authenticatee, AuthenticationFailedMessage());
  await([&] { return !failure_.empty(); });
  EXPECT_THAT(failure_, HasSubstr("--credential: the master master@127.0.0.1:"));
  EXPECT_THAT(failure_, HasSubstr("refuses the credential of 'agentp'"));
  EXPECT_EQ(std::string::npos, failure_.find("secret"));
}

TEST_F(MasterAuthenticationTest, tries_again_after_an_error) {
  start();
  libprocess::Message raw;
  for (int i = 0; i < 5; ++i) {
    expect<AuthenticateMessage>(&raw);
    AuthenticationErrorMessage error;
    error.set_error("No authenticator loaded");
    master_.send("master", raw.from, error);
  }
  libprocess::Upid authenticatee;
  converse(&authenticatee);
  master_.send("session(1)", authenticatee, AuthenticationCompletedMessage());
  expect<RegisterSlaveMessage>();
  EXPECT_EQ("", failure_);
}

TEST_F(MasterAuthenticationTest, tries_again_if_it_takes_too_long) {
  options_.authentication_timeout_min = 20ms;
  start();
  libprocess::Message first;
  expect<AuthenticateMessage>(&first);
  libprocess::Message second;
  expect<AuthenticateMessage>(&second);
  EXPECT_NE(first.from, second.from);
  EXPECT_FALSE(has_received("RegisterSlaveMessage"));
}

TEST_F(MasterAuthenticationTest, takes_nothing_out_of_order_nor_from_elsewhere) {
  start();
  libprocess::Message raw;
  expect<AuthenticateMessage>(&raw);
  master_.send("session(1)", raw.from, AuthenticationCompletedMessage());
  tests::Program impostor;
  AuthenticationMechanismsMessage mechanisms;
  mechanisms.add_mechanisms("CRAM-MD5");
  impostor.send("session(1)", raw.from, mechanisms);
  impostor.send("session(1)", raw.from, AuthenticationFailedMessage());
  run(base::sleep_task(30ms));
  EXPECT_EQ("", failure_);
  EXPECT_FALSE(has_received("RegisterSlaveMessage"));
  EXPECT_FALSE(has_received("AuthenticationStartMessage"));
  // Another mechanism than ours is an error, after which it tries again.
  mechanisms.set_mechanisms(0, "PLAIN");
  master_.send("session(1)", raw.from, mechanisms);
  libprocess::Upid authenticatee;
  converse(&authenticatee);
  // Its messages may also be sent to the agent's own process.
  master_.send("session(1)", agent_pid(), AuthenticationCompletedMessage());
  expect<RegisterSlaveMessage>();
}

}  // namespace
