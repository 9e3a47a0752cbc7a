// What TLS connections of one direction share: certificate, key, whom to trust, which versions.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/tls_options.h"

namespace http {

struct SslContextDeleter {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, SslContextDeleter>;

// For the connections that come, and for those that are made. Read the files that the options name.
// The error says which is bad and why.
base::Result<SslContext> make_server_context(const TlsOptions& options);
base::Result<SslContext> make_client_context(const TlsOptions& options);

// Takes what OpenSSL says about the last call that failed out of its queue: `what`, and why. To be
// called on the thread that made the call, which must have cleared the queue before.
std::string ssl_error_text(std::string_view what);

}  // namespace http
