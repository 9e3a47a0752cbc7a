#include "http/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <utility>

#include "base/event_loop.h"
#include "base/strings.h"
#include "http/tls_layer.h"

namespace http {

namespace {

using base::concat;
using base::ErrorKind;
using base::fail;

// The first byte of a connection that begins with a handshake, and of a refusal to make one.
constexpr char kHandshake = 22;
constexpr char kAlert = 21;

// The first byte that the peer sends, left where it is.
base::Task<base::Result<char>> peek_first(base::Stream& stream) {
  while (true) {
    char first = 0;
    const ssize_t n = recv(stream.fd(), &first, 1, MSG_PEEK | MSG_DONTWAIT);
    if (n == 1) co_return first;
    if (n == 0) co_return fail(ErrorKind::kClosed, "closed without a word");
    if (errno == EAGAIN) {
      co_await stream.readable();
    } else if (errno != EINTR) {
      co_return base::fail_errno("recv");
    }
  }
}

std::string peer_address(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof(address);
  char text[INET6_ADDRSTRLEN] = "";
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &length) < 0) return "(gone)";
  const void* bytes =
      address.ss_family == AF_INET6
          ? static_cast<void*>(&reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr)
          : &reinterpret_cast<sockaddr_in*>(&address)->sin_addr;
  inet_ntop(address.ss_family, bytes, text, sizeof(text));
  return text;
}

base::Result<Ssl> make_ssl(SSL_CTX* context, const base::Stream& stream) {
  ERR_clear_error();
  Ssl ssl(SSL_new(context));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), stream.fd()) != 1) {
    return fail(ssl_error_text("SSL_new"));
  }
  return ssl;
}

base::Status end_of_handshake(SSL* ssl, const TlsStep& step) {
  if (step.outcome == TlsOutcome::kDone) return {};
  std::string why = step.error ? step.error->message : "the peer ended it";
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) why += concat(" (", X509_verify_cert_error_string(verified), ")");
  return fail(ErrorKind::kClosed, std::move(why));
}

}  // namespace

base::Result<std::unique_ptr<Tls>> Tls::make(TlsOptions options, Report report) {
  TRY(SslContext server, make_server_context(options));
  TRY(SslContext client, make_client_context(options));
  return std::unique_ptr<Tls>(
      new Tls(std::move(options), std::move(server), std::move(client), std::move(report)));
}

base::Status Tls::reload() {
  TRY(SslContext server, make_server_context(options_));
  TRY(SslContext client, make_client_context(options_));
  server_context_ = std::move(server);
  client_context_ = std::move(client);
  return {};
}

base::Task<base::Status> Tls::greet(base::Stream& stream) {
  CO_TRY(const char first, co_await peek_first(stream));
  if (first != kHandshake) {
    if (options_.support_downgrade) co_return {};
    report_(concat("A client at ", peer_address(stream.fd()), " does not speak TLS"));
    if (first < 'A' || first > 'Z') co_return fail(ErrorKind::kClosed, "This is not TLS");
    co_return fail(ErrorKind::kInvalid, "This port speaks TLS only: use https");
  }
  CO_TRY(Ssl ssl, make_ssl(server_context_.get(), stream));
  SSL_set_accept_state(ssl.get());
  auto status = co_await shake_hands(stream, ssl.get());
  if (!status) {
    report_(concat("The TLS handshake with ", peer_address(stream.fd()),
                   " failed: ", status.error().message));
    co_return status;
  }
  stream.put_layer(make_tls_layer(std::move(ssl)));
  co_return {};
}

base::Task<base::Status> Tls::connect(base::Stream& stream, TlsPeer peer) {
  CO_TRY(Ssl ssl, make_ssl(client_context_.get(), stream));
  SSL_set_connect_state(ssl.get());
  if (!peer.name.empty()) SSL_set_tlsext_host_name(ssl.get(), peer.name.c_str());
  CO_TRY_VOID(co_await shake_hands(stream, ssl.get()));
  if (options_.verify_server_cert) {
    CO_TRY_VOID(co_await check_peer_name(ssl.get(), options_, std::move(peer)));
  }
  stream.put_layer(make_tls_layer(std::move(ssl)));
  co_return {};
}

base::Task<base::Status> Tls::shake_hands(base::Stream& stream, SSL* ssl) {
  // What a server says first tells whether it is one of TLS; of a client that is known already.
  bool has_spoken = SSL_is_server(ssl) != 0;
  while (true) {
    struct Computing {
      explicit Computing(Tls& t) : tls(t) { tls.computing_ = true; }
      ~Computing() {
        tls.computing_ = false;
        tls.computed_.set();
      }
      Tls& tls;
    };
    while (computing_) {
      computed_.clear();
      co_await computed_.wait();
    }
    TlsStep step;
    {
      const Computing computing(*this);
      step = try_handshake(ssl);
      co_await base::next_turn();
    }
    if (step.outcome == TlsOutcome::kNeedsWrite) {
      co_await stream.writable();
    } else if (step.outcome != TlsOutcome::kNeedsRead) {
      co_return end_of_handshake(ssl, step);
    } else if (has_spoken) {
      co_await stream.readable();
    } else {
      CO_TRY(const char first, co_await peek_first(stream));
      if (first != kHandshake && first != kAlert) {
        co_return fail(ErrorKind::kInvalid, "the peer does not speak TLS");
      }
      has_spoken = true;
    }
  }
}

}  // namespace http
