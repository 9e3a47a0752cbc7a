#include "agent/master/authenticatee.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "agent/post_message.h"
#include "base/strings.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

using base::concat;
using base::Task;
using libprocess::Message;
using libprocess::Upid;
using mesos::internal::AuthenticateMessage;
using mesos::internal::AuthenticationErrorMessage;
using mesos::internal::AuthenticationMechanismsMessage;
using mesos::internal::AuthenticationStartMessage;
using mesos::internal::AuthenticationStepMessage;

namespace {

Upid next_process(const Upid& agent) {
  static unsigned tries = 0;
  return {concat("crammd5-authenticatee(", ++tries, ")"), agent.ip, agent.port};
}

}  // namespace

Authenticatee::Authenticatee(Parts parts, Credential credential, Upid agent, Upid master)
    : parts_(parts),
      credential_(std::move(credential)),
      agent_(std::move(agent)),
      master_(std::move(master)),
      self_(next_process(agent_)) {
  parts_.receiver.install(self_.id, [this](const Message& message) { receive(message); });
}

Authenticatee::~Authenticatee() { parts_.receiver.remove(self_.id); }

Task<Authenticatee::Outcome> Authenticatee::run() {
  AuthenticateMessage message;
  message.set_pid(agent_.to_string());
  send(master_, message);
  co_return co_await outcome_.wait();
}

void Authenticatee::receive(const Message& message) {
  struct Row {
    std::string_view name;
    void (Authenticatee::*handle)(const Message&);
  };
  static constexpr Row kRows[] = {
      {"mesos.internal.AuthenticationMechanismsMessage", &Authenticatee::on_mechanisms},
      {"mesos.internal.AuthenticationStepMessage", &Authenticatee::on_step},
      {"mesos.internal.AuthenticationCompletedMessage", &Authenticatee::on_completed},
      {"mesos.internal.AuthenticationFailedMessage", &Authenticatee::on_failed},
      {"mesos.internal.AuthenticationErrorMessage", &Authenticatee::on_error},
  };
  const auto* row = std::ranges::find(kRows, message.name, &Row::name);
  if (row == std::end(kRows) || message.from.address() != master_.address()) {
    LOG_EVERY_T(WARNING, 1) << "A " << message.name << " from " << message.from.to_string()
                            << " is dropped: the agent authenticates with " << master_.to_string();
    return;
  }
  if (!outcome_.is_set()) (this->*row->handle)(message);
}

void Authenticatee::on_mechanisms(const Message& message) {
  AuthenticationMechanismsMessage offer;
  if (!offer.ParseFromString(message.body)) {
    return end(End::kFailed, "the master's mechanisms are no message");
  }
  if (started_) return;  // a second offer: the conversation is under way
  auto sasl = SaslClient::make(credential_);
  if (!sasl) return end(End::kFailed, sasl.error().message);
  sasl_ = *std::move(sasl);
  const std::vector<std::string> mechanisms(offer.mechanisms().begin(), offer.mechanisms().end());
  const auto start = sasl_->start(mechanisms);
  if (!start) return end(End::kFailed, start.error().message);
  started_ = true;
  AuthenticationStartMessage reply;
  reply.set_mechanism(start->mechanism);
  reply.set_data(start->data);  // also if there is none
  send(message.from, reply);
}

void Authenticatee::on_step(const Message& message) {
  AuthenticationStepMessage challenge;
  if (!challenge.ParseFromString(message.body)) {
    return end(End::kFailed, "the master's challenge is no message");
  }
  if (!started_) return end(End::kFailed, "the master's challenge comes before its mechanisms");
  const auto answer = sasl_->step(challenge.data());
  if (!answer) return end(End::kFailed, answer.error().message);
  AuthenticationStepMessage reply;
  reply.set_data(*answer);
  send(message.from, reply);
}

void Authenticatee::on_completed(const Message&) {
  // Not before anything was asked: then it is somebody else's.
  if (started_) end(End::kCompleted, {});
}

void Authenticatee::on_failed(const Message&) {
  end(End::kRefused, concat("the master ", master_.to_string(), " refuses the credential of '",
                            credential_.principal, "'"));
}

void Authenticatee::on_error(const Message& message) {
  AuthenticationErrorMessage error;
  const bool told = error.ParseFromString(message.body) && !error.error().empty();
  end(End::kFailed,
      told ? concat("the master says: ", error.error()) : "the master reports an error");
}

void Authenticatee::send(const Upid& to, const google::protobuf::Message& message) {
  post_message(parts_.sender, self_, to, message);
}

}  // namespace agent
