#include "programs/agent_tls.h"

#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <utility>

namespace programs {

base::Result<std::unique_ptr<AgentTls>> AgentTls::load() {
  std::unique_ptr<AgentTls> self(new AgentTls);
  TRY(http::TlsOptions options, http::read_tls_options(environ));
  if (!options.enabled) return self;
  for (const std::string& warning : options.warnings) LOG(WARNING) << warning;
  // Whoever sends garbage must not fill the log with it.
  const auto report = [](const std::string& what) { LOG_EVERY_T(WARNING, 1) << what; };
  TRY(self->tls_, http::Tls::make(std::move(options), report));
  return self;
}

void AgentTls::reload_on_hangup(base::EventLoop& loop) {
  if (tls_ == nullptr) return;
  on_hangup_.emplace(loop, SIGHUP, [this] { reload(); });
}

void AgentTls::reload() {
  if (auto reloaded = tls_->reload(); reloaded) {
    LOG(INFO) << "Certificates were read again";
  } else {
    LOG(ERROR) << "Certificates could not be read again, the old ones stay: "
               << reloaded.error().message;
  }
}

}  // namespace programs
