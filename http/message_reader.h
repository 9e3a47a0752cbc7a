// The receiving half of a connection, for server and client.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/stream.h"
#include "base/task.h"
#include "http/message_parser.h"

namespace http {

// Reads one message after the other from a stream. Bodies are read right into the reader's buffer;
// this keeps bytes only if they came together with the head before them, and nothing while idle.
class MessageReader {
 public:
  static constexpr ssize_t kWouldBlock = base::Stream::kWouldBlock;

  // `stream` must outlive this.
  MessageReader(base::Stream& stream, MessageParser::Kind kind, HeadLimits limits = {})
      : stream_(stream), parser_(kind, limits) {}

  enum class HeadState { kComplete, kIncomplete, kClosed };
  // Without waiting: reads as much of the head as there is. kClosed if the stream ends before its
  // first byte; an error of kind kClosed if it ends within.
  base::Result<HeadState> try_read_head();
  bool head_started() const { return parser_.head_started(); }
  MessageHead take_head() { return parser_.take_head(); }
  int refusal() const { return parser_.refusal(); }

  // Without waiting: the body, as BodyReader::try_read gives it.
  base::Result<ssize_t> try_read_body(std::span<char> buffer);

  // The same, with all framing as it came.
  base::Result<ssize_t> try_read_raw(std::span<char> buffer);

  // After kIncomplete or kWouldBlock: waits for more.
  base::Task<void> readable();

  bool chunked() const { return parser_.chunked(); }
  bool complete() const { return parser_.complete(); }
  bool body_started() const { return body_started_; }
  // Whether bytes are here that were read ahead.
  bool has_buffered() const { return !buffered().empty(); }
  // Whether the rest of the message was read ahead or is in the kernel's buffer. Not known, so
  // false, for a chunked one that was not read to its end.
  bool rest_has_arrived() const;
  // Why reading the body failed, if it did.
  const std::optional<base::Error>& error() const { return error_; }

  // Gets ready for the next message, after a complete one.
  void next_message(bool no_body = false) {
    parser_.reset(no_body);
    body_started_ = false;
  }

  // Without waiting: reads and drops whatever comes. What Stream::try_read gives.
  base::Result<ssize_t> discard();

 private:
  std::string_view buffered() const { return std::string_view(buffer_).substr(buffer_at_); }
  void consume_buffered(size_t n);
  base::Result<ssize_t> read_piece(std::span<char> buffer, bool raw);
  base::Result<ssize_t> failed(base::Error error);

  base::Stream& stream_;
  MessageParser parser_;
  std::string buffer_;
  size_t buffer_at_ = 0;
  bool body_started_ = false;
  std::optional<base::Error> error_;
};

}  // namespace http
