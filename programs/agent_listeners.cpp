#include "programs/agent_listeners.h"

#include <glog/logging.h>

#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "base/stream.h"
#include "base/strings.h"
#include "operator_api/router.h"

namespace programs {

namespace {

using base::concat;
using base::Result;
using base::Status;
using base::Task;

constexpr int kBacklog = 1024;
constexpr std::chrono::seconds kPatience{2};

// Of a killed agent, what it was just starting has its listening sockets too, for a moment longer
// than the lock of the runtime directory. Nothing tells when they are free, so it is tried again as
// long as `open` fails because somebody listens.
template <typename Open>
auto open_patiently(Open open) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (true) {
    auto opened = open();
    if (opened || std::chrono::steady_clock::now() > deadline) return opened;
    const base::Error& error = opened.error();
    if (error.code != EADDRINUSE && error.kind != base::ErrorKind::kAlreadyExists) return opened;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

Task<void> serve_for_ever(http::Server& server, base::Fd fd, const http::Greeting* greeting) {
  auto served = co_await server.serve(std::move(fd), greeting);
  LOG(FATAL) << served.error().message;
}

}  // namespace

Result<std::unique_ptr<Listeners>> Listeners::open(agent::Agent& agent, http::Tls* tls) {
  const agent::Flags& flags = agent.flags;
  std::unique_ptr<Listeners> self(new Listeners(tls));
  if (tls != nullptr) {
    self->greeting_ = [tls](base::Stream& stream) { return tls->greet(stream); };
  }
  self->ip_ = flags.ip.value_or("0.0.0.0");
  TRY(self->tcp_,
      open_patiently([&] { return base::listen_tcp(self->ip_, flags.port, kBacklog); }));
  self->port_ = base::local_port(self->tcp_.get()).value_or(flags.port);
  if (flags.http_executor_domain_sockets) {
    TRY_VOID(self->open_domain_socket(flags));
    agent.domain_socket = self->domain_socket_->path();
  }
  // With another domain socket too: an earlier run may have left executors that know only this one.
  if (tls != nullptr && flags.master) {
    TRY_VOID(self->open_own_executors_socket(flags));
    agent.own_executors_socket = self->own_executors_socket_->path();
  }
  return self;
}

Status Listeners::open_domain_socket(const agent::Flags& flags) {
  auto opened = open_patiently(
      [&] { return agent::DomainSocket::open(agent::domain_socket_path(flags), kBacklog); });
  if (!opened) {
    return base::fail(std::move(opened).error().with_context("--domain_socket_location"));
  }
  domain_socket_.emplace(*std::move(opened));
  LOG_IF(WARNING, tls_ != nullptr && tls_->options().require_client_cert &&
                      !flags.authenticate_http_readwrite)
      << "Clients of '" << domain_socket_->path() << "' need no certificate: every local user "
      << "may command the agent. Consider --authenticate_http_readwrite";
  return {};
}

// mesos-executor is a process for each task and has no room for a TLS library, nor could every
// user's tasks be given a key. The kernel says who calls on a unix socket.
Status Listeners::open_own_executors_socket(const agent::Flags& flags) {
  auto opened = open_patiently(
      [&] { return agent::DomainSocket::open(agent::own_executors_socket_path(flags), kBacklog); });
  if (!opened) {
    return base::fail(std::move(opened).error().with_context(
        "the socket for executors, which an agent with TLS needs in --runtime_dir"));
  }
  own_executors_socket_.emplace(*std::move(opened));
  return {};
}

std::string Listeners::description() const {
  return concat(ip_, ":", port_, tls_ != nullptr ? " (TLS)" : "",
                domain_socket_ ? concat(" and '", domain_socket_->path(), "'") : "");
}

void Listeners::serve(agent::Agent& agent, const http::Limits& limits, base::Scope& scope) {
  server_.emplace(operator_api::make_handler(agent), limits);
  scope.spawn(serve_for_ever(*server_, std::move(tcp_), tls_ != nullptr ? &greeting_ : nullptr));
  if (domain_socket_) {
    domain_socket_server_.emplace(operator_api::make_domain_socket_handler(agent), limits);
    scope.spawn(serve_for_ever(*domain_socket_server_, domain_socket_->take(), nullptr));
  }
  if (own_executors_socket_) {
    own_executors_server_.emplace(operator_api::make_own_executors_handler(agent), limits);
    scope.spawn(serve_for_ever(*own_executors_server_, own_executors_socket_->take(), nullptr));
  }
}

}  // namespace programs
