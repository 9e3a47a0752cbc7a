#include "executors/checks/probe.h"

#include "base/stream.h"
#include "base/strings.h"

namespace executors {

using base::concat;

base::Task<ProbeResult> run_probe(const Probe& probe, ProbeContext context) {
  switch (probe.kind) {
    case CheckKind::kCommand:
      co_return co_await run_command_probe(probe.command, context);
    case CheckKind::kHttp:
      co_return co_await run_http_probe(probe_url(probe), context);
    case CheckKind::kTcp:
      co_return co_await run_tcp_probe(static_cast<uint16_t>(probe.port));
    default:
      co_return base::fail("The check is of an unknown type");
  }
}

base::Task<ProbeResult> run_tcp_probe(uint16_t port) {
  const auto connected = co_await base::connect_tcp("127.0.0.1", port);
  co_return connected ? 1 : 0;
}

std::string probe_url(const Probe& probe) {
  const char* host = probe.ipv6 ? "[::1]" : "127.0.0.1";
  return concat(probe.scheme, "://", host, ":", probe.port, probe.path);
}

}  // namespace executors
