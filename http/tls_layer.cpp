#include "http/tls_layer.h"

#include <openssl/err.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "http/tls_context.h"

namespace http {

namespace {

using base::concat;
using base::ErrorKind;
using base::fail;

// So much is in one record at most.
constexpr size_t kRecord = SSL3_RT_MAX_PLAIN_LENGTH;

// What one call encrypts at most, however fast its reader is.
constexpr size_t kWrittenAtOnce = 16 * kRecord;

// What one call reads at most. To give out one record it needs a fraction of that; but of messages
// that carry no data (KeyUpdate) OpenSSL takes as many as come, without an end.
constexpr size_t kReadAtOnce = size_t{256} * 1024;

// What OpenSSL has queued before, and errno, would count as this call's.
void start_call() {
  ERR_clear_error();
  errno = 0;
}

TlsOutcome outcome_of(SSL* ssl, int result) {
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_NONE:
      return TlsOutcome::kDone;
    case SSL_ERROR_WANT_READ:
      return TlsOutcome::kNeedsRead;
    case SSL_ERROR_WANT_WRITE:
      return TlsOutcome::kNeedsWrite;
    case SSL_ERROR_ZERO_RETURN:
      return TlsOutcome::kEnded;
    default:
      return TlsOutcome::kBroken;
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
      const TlsOutcome outcome = outcome_of(ssl_.get(), result);
      if (outcome == TlsOutcome::kBroken) read_error_ = broken("SSL_read");
      if (outcome != TlsOutcome::kDone) {
        read_needs_write_ = outcome == TlsOutcome::kNeedsWrite;
        if (filled > 0) break;  // the same comes the next time
        if (outcome == TlsOutcome::kEnded) return 0;
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
      const TlsOutcome outcome = outcome_of(ssl_.get(), result);
      if (outcome == TlsOutcome::kDone) {
        written += n;
        offset += n;
        while (!parts.empty() && offset >= parts.front().iov_len) {
          offset -= parts.front().iov_len;
          parts = parts.subspan(1);
        }
        continue;
      }
      write_needs_read_ = outcome == TlsOutcome::kNeedsRead;
      if (outcome == TlsOutcome::kNeedsRead || outcome == TlsOutcome::kNeedsWrite) {
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
    const bool blocked = result < 0 && outcome_of(ssl_.get(), result) == TlsOutcome::kNeedsWrite;
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

}  // namespace

TlsStep try_handshake(SSL* ssl) {
  start_call();
  TlsStep step;
  step.outcome = outcome_of(ssl, SSL_do_handshake(ssl));
  if (step.outcome == TlsOutcome::kBroken) step.error = broken("SSL_do_handshake");
  return step;
}

std::unique_ptr<base::StreamLayer> make_tls_layer(Ssl ssl) {
  return std::make_unique<TlsLayer>(std::move(ssl));
}

}  // namespace http
