#include "libprocess/dialer.h"

#include <glog/logging.h>

#include <utility>

#include "base/combine.h"
#include "http/tls.h"

namespace libprocess {

using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using base::Stream;
using base::Task;
using Clock = std::chrono::steady_clock;

void Dialer::set_name(const Address& address, const std::string& name) {
  if (name.empty()) {
    names_.erase(address);
  } else {
    names_[address] = name;
  }
}

Task<Result<Stream>> Dialer::connect_plainly(Address address,
                                             std::chrono::nanoseconds limit) const {
  auto connected =
      co_await base::with_timeout(base::connect_tcp(address.ip_text(), address.port), limit);
  if (!connected) co_return fail(ErrorKind::kTimeout, "connecting takes too long");
  if (!*connected) co_return fail(std::move(*connected).error());
  co_return Stream(**std::move(connected));
}

Task<Result<Stream>> Dialer::connect(Address address, std::chrono::nanoseconds limit) {
  const auto deadline = Clock::now() + limit;
  CO_TRY(Stream stream, co_await connect_plainly(address, limit));
  http::Tls* const tls = tls_;
  if (tls == nullptr) co_return std::move(stream);

  const auto name = names_.find(address);
  http::TlsPeer peer{.ip = address.ip_text(), .name = name == names_.end() ? "" : name->second};
  const auto shaken =
      co_await base::with_timeout(tls->connect(stream, std::move(peer)), deadline - Clock::now());
  const Status status = shaken ? *shaken : fail(ErrorKind::kTimeout, "it takes too long");
  if (status) {
    downgrades_.forget(address);
    co_return std::move(stream);
  }
  base::Error error = base::Error(status.error()).with_context("the TLS handshake failed");
  if (!tls->options().support_downgrade) co_return fail(std::move(error));
  {
    const Stream closed = std::move(stream);
  }
  if (downgrades_.is_new(address, error.message)) {
    LOG(WARNING) << "Connecting to " << address.to_string()
                 << " without TLS, as LIBPROCESS_SSL_SUPPORT_DOWNGRADE allows: " << error.message;
  }
  co_return co_await connect_plainly(address, limit);
}

}  // namespace libprocess
