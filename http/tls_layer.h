// TLS of one connection over OpenSSL's non-blocking calls, whichever side has begun it.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <memory>
#include <optional>

#include "base/result.h"
#include "base/stream.h"

namespace http {

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, SslDeleter>;

// What a call of OpenSSL has come to.
enum class TlsOutcome : uint8_t { kDone, kNeedsRead, kNeedsWrite, kEnded, kBroken };

struct TlsStep {
  TlsOutcome outcome = TlsOutcome::kDone;
  std::optional<base::Error> error;  // if it is kBroken: kClosed for what the network has done
};

// Goes on with the handshake as far as that is possible without waiting: with up to a few
// milliseconds of computing.
TlsStep try_handshake(SSL* ssl);

// What stands between a stream and its descriptor after the handshake.
std::unique_ptr<base::StreamLayer> make_tls_layer(Ssl ssl);

}  // namespace http
