#include "programs/agent_membership.h"

#include <glog/logging.h>
#include <signal.h>

#include <utility>

#include "agent/master/credential.h"
#include "agent/master/detector.h"
#include "agent/master/sasl_client.h"
#include "base/strings.h"
#include "libprocess/upid.h"

namespace programs {

using base::concat;
using base::Result;
using base::Status;
using base::Task;

namespace {

Result<agent::MasterLink::Options> make_options(const agent::Agent& agent) {
  const agent::Flags& flags = agent.flags;
  agent::MasterLink::Options options;
  auto ip = libprocess::parse_ip(agent.ip);
  if (!ip) {
    return base::fail(
        std::move(ip).error().with_context("--master needs --ip or --advertise_ip to be one"));
  }
  options.advertised = {*ip, static_cast<uint16_t>(agent.info.port())};
  options.registration_backoff_factor = flags.registration_backoff_factor;
  options.authentication_backoff_factor = flags.authentication_backoff_factor;
  options.authentication_timeout_min = flags.authentication_timeout_min;
  options.authentication_timeout_max = flags.authentication_timeout_max;
  if (flags.credential) {
    TRY(options.credential, agent::load_credential(*flags.credential));
    auto usable = agent::SaslClient::check();
    if (!usable) return base::fail(std::move(usable).error().with_context("--credential"));
  }
  return options;
}

}  // namespace

Result<std::unique_ptr<Membership>> Membership::make(agent::Agent& agent, base::EventLoop& loop) {
  TRY(auto options, make_options(agent));
  TRY(auto detector, agent::make_master_detector(agent.flags.master->text));
  LOG_IF(WARNING, !agent.flags.advertise_ip && agent.ip.starts_with("127."))
      << "Masters are told to reach this agent at " << agent.ip
      << ", which those on other hosts cannot: set --ip or --advertise_ip";
  std::unique_ptr<Membership> self(new Membership(agent, loop));
  self->link_ = std::make_unique<agent::MasterLink>(
      agent::MasterLink::Parts{agent.info, agent.state, agent.receiver, agent.sender},
      std::move(options), std::move(detector), self->make_hooks());
  self->messages_ =
      std::make_unique<agent::Messages>(agent.receiver, agent::MessageContext{*self->link_});
  return self;
}

agent::MasterHooks Membership::make_hooks() {
  agent::MasterHooks hooks;
  // There are no frameworks yet whose end would have to be waited for.
  hooks.shut_down = [this] { scope_.spawn(stop_when_sent()); };
  hooks.failed = [this](base::Error error) {
    failure_ = std::move(error);
    loop_.stop();
  };
  return hooks;
}

void Membership::start() {
  const auto unregister = [](evutil_socket_t, short, void* self) {
    LOG(WARNING) << "SIGUSR1: the agent unregisters and ends";
    static_cast<Membership*>(self)->link_->unregister();
  };
  on_user_signal_.reset(evsignal_new(loop_.base(), SIGUSR1, unregister, this));
  event_add(on_user_signal_.get(), nullptr);
  link_->start();
}

Task<void> Membership::stop_when_sent() {
  co_await agent_.sender.flush();
  loop_.stop();
}

Status Membership::end() const {
  if (failure_) return base::fail(*failure_);
  return {};
}

}  // namespace programs
