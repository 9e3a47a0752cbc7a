// Where mesos-agent listens: its TCP port, with TLS if the environment says so, and the unix
// sockets of executors.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "agent/agent.h"
#include "agent/domain_socket.h"
#include "base/fd.h"
#include "base/result.h"
#include "base/scope.h"
#include "http/server.h"
#include "http/tls.h"

namespace programs {

class Listeners {
 public:
  // Listens, but accepts nobody. A killed agent's last traces are given time to go. `tls`, if the
  // port is to speak it, must outlive this. The agent is told where executors find it.
  static base::Result<std::unique_ptr<Listeners>> open(agent::Agent& agent, http::Tls* tls);
  Listeners(const Listeners&) = delete;
  Listeners& operator=(const Listeners&) = delete;

  uint16_t port() const { return port_; }
  std::string description() const;  // for the log

  // Serves in `scope`, which must end before this. Each socket has the limit of connections for
  // itself.
  void serve(agent::Agent& agent, const http::Limits& limits, base::Scope& scope);

 private:
  explicit Listeners(http::Tls* tls) : tls_(tls) {}
  base::Status open_domain_socket(const agent::Flags& flags);
  base::Status open_own_executors_socket(const agent::Flags& flags);

  std::string ip_;
  uint16_t port_ = 0;
  base::Fd tcp_;
  std::optional<agent::DomainSocket> domain_socket_;
  std::optional<agent::DomainSocket> own_executors_socket_;
  http::Tls* const tls_;
  http::Greeting greeting_;
  std::optional<http::Server> server_;
  std::optional<http::Server> domain_socket_server_;
  std::optional<http::Server> own_executors_server_;
};

}  // namespace programs
