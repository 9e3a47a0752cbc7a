// Where mesos-agent listens: its TCP port, with TLS if the environment says so, and the unix socket
// of executors.
#pragma once

#include <event2/event.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/agent.h"
#include "agent/domain_socket.h"
#include "base/event_loop.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/scope.h"
#include "http/server.h"
#include "http/tls.h"

namespace programs {

class Listeners {
 public:
  // Listens, and reads what TLS needs, but accepts nobody. A killed agent's last traces are given
  // time to go.
  static base::Result<std::unique_ptr<Listeners>> open(const agent::Flags& flags);
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  uint16_t port() const { return port_; }
  std::string description() const;  // for the log

  // Serves in `scope`, which must end before this. With TLS, SIGHUP has the certificates read again
  // from here on. Each socket has the limit of connections for itself.
  void serve(agent::Agent& agent, const http::Limits& limits, base::EventLoop& loop,
             base::Scope& scope);

 private:
  struct EventDeleter {
    void operator()(event* e) const { event_free(e); }
  };

  Listeners() = default;
  base::Status set_up_tls();
  void reload_certificates();

  std::string ip_;
  uint16_t port_ = 0;
  base::Fd tcp_;
  std::optional<agent::DomainSocket> domain_socket_;
  std::unique_ptr<http::TlsServer> tls_;
  bool requires_certificates_ = false;  // of clients
  http::Greeting greeting_;
  std::optional<http::Server> server_;
  std::optional<http::Server> domain_socket_server_;
  std::unique_ptr<event, EventDeleter> on_hangup_;
};

}  // namespace programs
