#include "http/message_reader.h"

#include <algorithm>
#include <utility>

namespace http {

namespace {
// Enough for nearly every head, and small enough for the stack of a small process.
constexpr size_t kReadAhead = 8 * 1024;
}  // namespace

base::Result<MessageReader::HeadState> MessageReader::try_read_head() {
  while (has_buffered()) {
    TRY(const size_t consumed, parser_.feed_head(buffered()));
    consume_buffered(consumed);
    if (parser_.head_complete()) return HeadState::kComplete;
  }
  while (true) {
    char bytes[kReadAhead];
    TRY(const ssize_t n, stream_.try_read(bytes));
    if (n == kWouldBlock) return HeadState::kIncomplete;
    if (n == 0) {
      if (!parser_.head_started()) return HeadState::kClosed;
      TRY_VOID(parser_.feed_eof());
    }
    const std::string_view input(bytes, static_cast<size_t>(n));
    TRY(const size_t consumed, parser_.feed_head(input));
    if (!parser_.head_complete()) continue;
    buffer_ = input.substr(consumed);
    return HeadState::kComplete;
  }
}

base::Result<ssize_t> MessageReader::try_read_body(std::span<char> buffer) {
  while (!parser_.complete()) {
    TRY(const ssize_t n, read_piece(buffer, false));
    if (n != 0) return n;
  }
  return 0;
}

base::Result<ssize_t> MessageReader::try_read_raw(std::span<char> buffer) {
  while (!parser_.complete()) {
    TRY(const ssize_t n, read_piece(buffer, true));
    if (n != 0) return n;
  }
  return 0;
}

base::Result<ssize_t> MessageReader::read_piece(std::span<char> buffer, bool raw) {
  if (error_) return base::fail(*error_);
  if (has_buffered()) {
    const std::string_view input = buffered().substr(0, buffer.size());
    body_started_ = true;
    auto decoded = parser_.feed_body(input, raw ? nullptr : buffer.data());
    if (!decoded) return failed(std::move(decoded).error());
    if (raw) std::copy_n(input.data(), decoded->consumed, buffer.data());
    consume_buffered(decoded->consumed);
    return static_cast<ssize_t>(raw ? decoded->consumed : decoded->produced);
  }
  // Not beyond the end of this message, if it is known.
  const uint64_t left = parser_.length_left().value_or(buffer.size());
  auto n = stream_.try_read(buffer.first(std::min<uint64_t>(left, buffer.size())));
  if (!n) return failed(std::move(n).error());
  if (*n == kWouldBlock) return kWouldBlock;
  if (*n == 0) {
    if (auto status = parser_.feed_eof(); !status) return failed(std::move(status).error());
    return 0;
  }
  const std::string_view input(buffer.data(), static_cast<size_t>(*n));
  body_started_ = true;
  auto decoded = parser_.feed_body(input, raw ? nullptr : buffer.data());
  if (!decoded) return failed(std::move(decoded).error());
  // What follows the message is behind all that was decoded in place.
  buffer_ = input.substr(decoded->consumed);
  return static_cast<ssize_t>(raw ? decoded->consumed : decoded->produced);
}

base::Result<ssize_t> MessageReader::failed(base::Error error) {
  error_ = error;
  return base::fail(std::move(error));
}

base::Task<void> MessageReader::readable() { co_await stream_.readable(); }

bool MessageReader::rest_has_arrived() const {
  const auto left = parser_.length_left();
  return left && buffered().size() + stream_.arrived() >= *left;
}

base::Result<ssize_t> MessageReader::discard() {
  char bytes[kReadAhead];
  return stream_.try_read(bytes);
}

void MessageReader::consume_buffered(size_t n) {
  buffer_at_ += n;
  if (buffer_at_ < buffer_.size()) return;
  buffer_.clear();
  buffer_.shrink_to_fit();
  buffer_at_ = 0;
}

}  // namespace http
