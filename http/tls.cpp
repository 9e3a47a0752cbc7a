#include "http/tls.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

#include "base/event_loop.h"
#include "base/strings.h"

namespace http {

namespace {

using base::concat;
using base::ErrorKind;
using base::fail;

struct SslDeleter {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using Ssl = std::unique_ptr<SSL, SslDeleter>;

// So much is in one record at most.
constexpr size_t kRecord = SSL3_RT_MAX_PLAIN_LENGTH;

// What one call encrypts at most, however fast its reader is.
constexpr size_t kWrittenAtOnce = 16 * kRecord;

// What one call reads at most. To give out one record it needs a fraction of that; but of messages
// that carry no data (KeyUpdate) OpenSSL takes as many as come, without an end.
constexpr size_t kReadAtOnce = size_t{256} * 1024;

// The first byte of a connection that begins with a handshake.
constexpr char kHandshake = 22;

// What OpenSSL has queued before, and errno, would count as this call's.
void start_call() {
  ERR_clear_error();
  errno = 0;
}

enum class Outcome { kDone, kNeedsRead, kNeedsWrite, kEnded, kBroken };

Outcome outcome_of(SSL* ssl, int result) {
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_NONE:
      return Outcome::kDone;
    case SSL_ERROR_WANT_READ:
      return Outcome::kNeedsRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kNeedsWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kEnded;
    default:
      return Outcome::kBroken;
  }
}

// After kBroken; errno must still be that of the call (EPROTO is ours: bound_reads). What the
// network does is kClosed, what the peer does against the protocol kInternal: then nothing can be
// said to it any more.
base::Error broken(std::string_view what) {
  if (ERR_peek_error() != 0) return {ErrorKind::kInternal, ssl_error_text(what)};
  if (errno == 0) return {ErrorKind::kClosed, concat(what, ": the connection has ended")};
  base::Error error = base::Error::from_errno(what);
  error.kind = error.code == EPROTO ? ErrorKind::kInternal : ErrorKind::kClosed;
  return error;
}

class TlsLayer final : public base::StreamLayer {
 public:
  explicit TlsLayer(Ssl ssl) : ssl_(std::move(ssl)) {
    BIO* bio = SSL_get_rbio(ssl_.get());
    BIO_set_callback_arg(bio, reinterpret_cast<char*>(this));
    BIO_set_callback_ex(bio, bound_reads);
  }
  TlsLayer(const TlsLayer&) = delete;
  TlsLayer& operator=(const TlsLayer&) = delete;

  base::Result<ssize_t> try_read(std::span<char> buffer) override {
    if (read_error_) return fail(*read_error_);
    size_t filled = 0;
    do {
      start_call();
      read_by_call_ = 0;
      size_t n = 0;
      const int result =
          SSL_read_ex(ssl_.get(), buffer.data() + filled, buffer.size() - filled, &n);
      const Outcome outcome = outcome_of(ssl_.get(), result);
      if (outcome == Outcome::kBroken) read_error_ = broken("SSL_read");
      if (outcome != Outcome::kDone) {
        read_needs_write_ = outcome == Outcome::kNeedsWrite;
        if (filled > 0) break;  // the same comes the next time
        if (outcome == Outcome::kEnded) return 0;
        if (read_error_) return fail(*read_error_);
        return base::Stream::kWouldBlock;
      }
      filled += n;
      // As long as there are further records here already.
    } while (filled < buffer.size() && SSL_has_pending(ssl_.get()) != 0);
    return static_cast<ssize_t>(filled);
  }

  base::Result<ssize_t> try_write(std::span<const iovec> parts) override {
    size_t written = 0;
    size_t offset = 0;  // in the first of `parts`
    std::array<char, kRecord> gathered;
    while (written < kWrittenAtOnce) {
      const std::string_view piece = next_piece(parts, offset, gathered);
      if (piece.empty()) break;
      start_call();
      size_t n = 0;
      const int result = SSL_write_ex(ssl_.get(), piece.data(), piece.size(), &n);
      const Outcome outcome = outcome_of(ssl_.get(), result);
      if (outcome == Outcome::kDone) {
        written += n;
        offset += n;
        while (!parts.empty() && offset >= parts.front().iov_len) {
          offset -= parts.front().iov_len;
          parts = parts.subspan(1);
        }
        continue;
      }
      write_needs_read_ = outcome == Outcome::kNeedsRead;
      if (outcome == Outcome::kNeedsRead || outcome == Outcome::kNeedsWrite) {
        return written > 0 ? static_cast<ssize_t>(written) : base::Stream::kWouldBlock;
      }
      broken_ = true;
      // What was written before is lost with the rest.
      return fail(broken("SSL_write"));
    }
    return static_cast<ssize_t>(written);
  }

  bool read_needs_write() const override { return read_needs_write_; }
  bool write_needs_read() const override { return write_needs_read_; }

  size_t held() const override {
    if (SSL_has_pending(ssl_.get()) == 0) return 0;
    // What is not decrypted yet is somewhere in a buffer whose size is all that is known.
    constexpr size_t kReadBuffer = size_t{64} * 1024 + SSL3_RT_MAX_ENCRYPTED_LENGTH;
    return static_cast<size_t>(SSL_pending(ssl_.get())) + kReadBuffer;
  }

  bool try_end() override {
    if (broken_ || read_error_) return true;
    start_call();
    const int result = SSL_shutdown(ssl_.get());
    const bool blocked = result < 0 && outcome_of(ssl_.get(), result) == Outcome::kNeedsWrite;
    ERR_clear_error();
    return !blocked;
  }

 private:
  // Called by OpenSSL around each system call; makes those beyond the bound fail.
  static long bound_reads(BIO* bio, int operation, const char*, size_t, int, long, int result,
                          size_t* processed) {
    auto* self = reinterpret_cast<TlsLayer*>(BIO_get_callback_arg(bio));
    if (operation == BIO_CB_READ && self->read_by_call_ > kReadAtOnce) {
      errno = EPROTO;
      return -1;
    }
    if (operation == (BIO_CB_READ | BIO_CB_RETURN) && result > 0) self->read_by_call_ += *processed;
    return result;
  }

  // What goes into the next call: a large part as it is, small ones together, so that a chunk is
  // not three records. The same each time, as long as nothing of it was written: OpenSSL insists.
  static std::string_view next_piece(std::span<const iovec> parts, size_t offset,
                                     std::span<char> gathered) {
    while (!parts.empty() && parts.front().iov_len == offset) {
      parts = parts.subspan(1);
      offset = 0;
    }
    if (parts.empty()) return {};
    const std::string_view first(static_cast<const char*>(parts.front().iov_base) + offset,
                                 parts.front().iov_len - offset);
    if (parts.size() == 1 || first.size() >= gathered.size()) return first;
    size_t size = 0;
    for (const iovec& part : parts) {
      const size_t skipped = &part == parts.data() ? offset : 0;
      const size_t taken = std::min(part.iov_len - skipped, gathered.size() - size);
      std::copy_n(static_cast<const char*>(part.iov_base) + skipped, taken, gathered.data() + size);
      size += taken;
    }
    return {gathered.data(), size};
  }

  Ssl ssl_;
  std::optional<base::Error> read_error_;
  bool broken_ = false;
  size_t read_by_call_ = 0;  // from the descriptor
  bool read_needs_write_ = false;
  bool write_needs_read_ = false;
};

// The first byte that a client sends, left where it is. 0 bytes are its end.
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

}  // namespace

base::Result<std::unique_ptr<TlsServer>> TlsServer::make(TlsOptions options, Report report) {
  TRY(SslContext context, make_server_context(options));
  return std::unique_ptr<TlsServer>(
      new TlsServer(std::move(options), std::move(context), std::move(report)));
}

base::Status TlsServer::reload() {
  TRY(context_, make_server_context(options_));
  return {};
}

base::Task<base::Status> TlsServer::greet(base::Stream& stream) {
  CO_TRY(const char first, co_await peek_first(stream));
  if (first != kHandshake) {
    if (options_.support_downgrade) co_return {};
    report_(concat("A client at ", peer_address(stream.fd()), " does not speak TLS"));
    if (first < 'A' || first > 'Z') co_return fail(ErrorKind::kClosed, "This is not TLS");
    co_return fail(ErrorKind::kInvalid, "This port speaks TLS only: use https");
  }
  auto status = co_await shake_hands(stream);
  if (!status) {
    report_(concat("The TLS handshake with ", peer_address(stream.fd()),
                   " failed: ", status.error().message));
  }
  co_return status;
}

base::Task<base::Status> TlsServer::shake_hands(base::Stream& stream) {
  Ssl owned(SSL_new(context_.get()));
  SSL* ssl = owned.get();
  if (ssl == nullptr || SSL_set_fd(ssl, stream.fd()) != 1)
    co_return fail(ssl_error_text("SSL_new"));
  SSL_set_accept_state(ssl);
  while (true) {
    struct Computing {
      explicit Computing(TlsServer& s) : server(s) { server.computing_ = true; }
      ~Computing() {
        server.computing_ = false;
        server.computed_.set();
      }
      TlsServer& server;
    };
    while (computing_) {
      computed_.clear();
      co_await computed_.wait();
    }
    Outcome outcome = Outcome::kDone;
    std::optional<base::Error> error;
    {
      const Computing computing(*this);
      start_call();
      outcome = outcome_of(ssl, SSL_do_handshake(ssl));
      if (outcome == Outcome::kBroken) error = broken("SSL_do_handshake");
      co_await base::next_turn();
    }
    if (outcome == Outcome::kDone) {
      stream.put_layer(std::make_unique<TlsLayer>(std::move(owned)));
      co_return {};
    }
    if (outcome == Outcome::kNeedsRead) {
      co_await stream.readable();
    } else if (outcome == Outcome::kNeedsWrite) {
      co_await stream.writable();
    } else {
      const long verified = SSL_get_verify_result(ssl);
      std::string why = error ? error->message : "the client ended it";
      if (verified != X509_V_OK) why += concat(" (", X509_verify_cert_error_string(verified), ")");
      co_return fail(ErrorKind::kClosed, std::move(why));
    }
  }
}

}  // namespace http
