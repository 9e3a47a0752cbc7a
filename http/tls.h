// TLS of a program's connections: those that come to it, and those that it makes.
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
#include "http/tls_peer.h"

namespace http {

// Must outlive the handshakes; connections that have had theirs need it no more.
class Tls {
 public:
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;

  // Told of each client's handshake that fails, in a sentence that names the client's address.
  using Report = std::function<void(const std::string&)>;

  // Reads the files that the options name.
  static base::Result<std::unique_ptr<Tls>> make(TlsOptions options, Report report);

  const TlsOptions& options() const { return options_; }

  // Reads them again, for connections that begin from now on, in either direction; those that are
  // open keep what they have. On failure everything stays as it was.
  base::Status reload();

  // A Greeting (http/server.h): the handshake, after which everything on the stream is encrypted.
  // With support_downgrade, nothing for a client that begins with something else. Without, an error
  // of kind kInvalid, still unencrypted, for one that begins like HTTP; of kind kClosed for all
  // other failures. Has no limit of time.
  base::Task<base::Status> greet(base::Stream& stream);

  // The same for a stream that is connected to a server: shows our certificate if it asks for one,
  // and verifies its own as the options say. kInvalid: it does not speak TLS; kForbidden: it is
  // not whom it should be; kClosed: all else. The text says why and does not name the peer. After
  // an error the stream is of no use. Has no limit of time.
  base::Task<base::Status> connect(base::Stream& stream, TlsPeer peer);

 private:
  Tls(TlsOptions options, SslContext server, SslContext client, Report report)
      : options_(std::move(options)),
        server_context_(std::move(server)),
        client_context_(std::move(client)),
        report_(std::move(report)) {}

  base::Task<base::Status> shake_hands(base::Stream& stream, SSL* ssl);

  const TlsOptions options_;
  SslContext server_context_;
  SslContext client_context_;
  Report report_;
  // One step of a handshake takes up to a few milliseconds of computing: of all that could go on,
  // one does in each turn of the loop.
  bool computing_ = false;
  base::Event computed_;
};

}  // namespace http
