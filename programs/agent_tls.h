// TLS of mesos-agent, in both directions, as its environment says.
#pragma once

#include <memory>
#include <optional>

#include "base/event_loop.h"
#include "base/result.h"
#include "http/tls.h"
#include "programs/signal_handler.h"

namespace programs {

class AgentTls {
 public:
  // Reads the environment, and the files that it names.
  static base::Result<std::unique_ptr<AgentTls>> load();
  AgentTls(const AgentTls&) = delete;
  AgentTls& operator=(const AgentTls&) = delete;

  // nullptr: it is switched off.
  http::Tls* get() const { return tls_.get(); }

  // From here on SIGHUP has the files read again. The loop must outlive this. Does nothing if TLS
  // is off.
  void reload_on_hangup(base::EventLoop& loop);

 private:
  AgentTls() = default;
  void reload();

  std::unique_ptr<http::Tls> tls_;
  std::optional<SignalHandler> on_hangup_;
};

}  // namespace programs
