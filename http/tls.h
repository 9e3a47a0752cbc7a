// TLS of a server's connections, over OpenSSL's non-blocking calls.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.h"
#include "base/stream.h"
#include "base/sync.h"
#include "base/task.h"
#include "http/tls_context.h"
#include "http/tls_options.h"

namespace http {

// Must outlive the connections that it greets, while they are greeted.
class TlsServer {
 public:
  TlsServer(const TlsServer&) = delete;
  TlsServer& operator=(const TlsServer&) = delete;

  // Told of each handshake that fails, in a sentence that names the client's address.
  using Report = std::function<void(const std::string&)>;

  // Reads the files that the options name.
  static base::Result<std::unique_ptr<TlsServer>> make(TlsOptions options, Report report);

  // Reads them again, for connections that come from now on; those that are open keep what they
  // have. On failure everything stays as it was.
  base::Status reload();

  // A Greeting (http/server.h): the handshake, after which everything on the stream is encrypted.
  // With support_downgrade, nothing for a client that begins with something else. Without, an error
  // of kind kInvalid, still unencrypted, for one that begins like HTTP; of kind kClosed for all
  // other failures. Has no limit of time.
  base::Task<base::Status> greet(base::Stream& stream);

 private:
  TlsServer(TlsOptions options, SslContext context, Report report)
      : options_(std::move(options)), context_(std::move(context)), report_(std::move(report)) {}

  base::Task<base::Status> shake_hands(base::Stream& stream);

  TlsOptions options_;
  SslContext context_;
  Report report_;
  // One step of a handshake takes up to a few milliseconds of computing: of all that could go on,
  // one does in each turn of the loop.
  bool computing_ = false;
  base::Event computed_;
};

}  // namespace http
