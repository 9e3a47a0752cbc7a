#include "programs/agent_listeners.h"

#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

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

Result<std::unique_ptr<Listeners>> Listeners::open(const agent::Flags& flags) {
  std::unique_ptr<Listeners> self(new Listeners);
  TRY_VOID(self->set_up_tls());
  self->ip_ = flags.ip.value_or("0.0.0.0");
  TRY(self->tcp_,
      open_patiently([&] { return base::listen_tcp(self->ip_, flags.port, kBacklog); }));
  self->port_ = base::local_port(self->tcp_.get()).value_or(flags.port);
  if (flags.http_executor_domain_sockets) {
    auto opened = open_patiently(
        [&] { return agent::DomainSocket::open(agent::domain_socket_path(flags), kBacklog); });
    if (!opened) {
      return base::fail(std::move(opened).error().with_context("--domain_socket_location"));
    }
    self->domain_socket_.emplace(*std::move(opened));
    LOG_IF(WARNING, self->requires_certificates_ && !flags.authenticate_http_readwrite)
        << "Clients of '" << self->domain_socket_->path()
        << "' need no certificate: every local user "
        << "may command the agent. Consider --authenticate_http_readwrite";
  }
  return self;
}

Status Listeners::set_up_tls() {
  TRY(http::TlsOptions options, http::read_tls_options(environ));
  if (!options.enabled) return {};
  requires_certificates_ = options.require_client_cert;
  for (const std::string& warning : options.warnings) LOG(WARNING) << warning;
  // Whoever sends garbage must not fill the log with it.
  const auto report = [](const std::string& what) { LOG_EVERY_T(WARNING, 1) << what; };
  TRY(tls_, http::TlsServer::make(std::move(options), report));
  greeting_ = [this](base::Stream& stream) { return tls_->greet(stream); };
  return {};
}

std::string Listeners::description() const {
  return concat(ip_, ":", port_, tls_ ? " (TLS)" : "",
                domain_socket_ ? concat(" and '", domain_socket_->path(), "'") : "");
}

void Listeners::serve(agent::Agent& agent, const http::Limits& limits, base::EventLoop& loop,
                      base::Scope& scope) {
  server_.emplace(operator_api::make_handler(agent), limits);
  scope.spawn(serve_for_ever(*server_, std::move(tcp_), tls_ ? &greeting_ : nullptr));
  if (domain_socket_) {
    domain_socket_server_.emplace(operator_api::make_domain_socket_handler(agent), limits);
    scope.spawn(serve_for_ever(*domain_socket_server_, domain_socket_->take(), nullptr));
  }
  if (tls_) {
    const auto reload = [](evutil_socket_t, short, void* self) {
      static_cast<Listeners*>(self)->reload_certificates();
    };
    on_hangup_.reset(evsignal_new(loop.base(), SIGHUP, reload, this));
    event_add(on_hangup_.get(), nullptr);
  }
}

void Listeners::reload_certificates() {
  if (auto reloaded = tls_->reload(); reloaded) {
    LOG(INFO) << "Certificates were read again";
  } else {
    LOG(ERROR) << "Certificates could not be read again, the old ones stay: "
               << reloaded.error().message;
  }
}

}  // namespace programs
