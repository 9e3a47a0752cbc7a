// The parser of HTTP/1.1 messages: bytes in, heads and bodies out, no I/O.
#pragma once

#include <http_parser.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/chunk_decoder.h"
#include "http/headers.h"

namespace http {

struct MessageHead {
  std::string method;  // of a request
  std::string target;  // of a request
  int status = 0;      // of a response
  std::string reason;  // of a response
  Headers headers;
  int minor_version = 1;
  bool keep_alive = true;
};

struct HeadLimits {
  size_t bytes = 80 * 1024;  // the parser of the library has this bound, too
  size_t count = 256;
};

// Takes one message apart: feed_head() until head_complete(), then feed_body() until complete(),
// however the bytes were cut into pieces. reset() for the next message.
//
// http_parser reads the head and decides how the body is framed; it is lenient as Debian builds it,
// so beyond that: limits, only HTTP/1.x, no blanks before a colon, a strict ChunkDecoder. Requests
// to upgrade the protocol are served as if they did not ask.
class MessageParser {
 public:
  enum class Kind { kRequest, kResponse };

  explicit MessageParser(Kind kind, HeadLimits limits = {});
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  // `no_body`: the response to come is one to HEAD.
  void reset(bool no_body = false);

  // Gives how many bytes belong to the head: all of them as long as it is not complete. kInvalid if
  // it is not HTTP or over a limit; a server answers refusal() then.
  base::Result<size_t> feed_head(std::string_view input);
  bool head_started() const { return head_bytes_ > 0; }
  bool head_complete() const { return head_complete_; }
  int refusal() const { return refusal_; }

  // Moves the head out; once.
  MessageHead take_head() { return std::move(head_); }

  // Takes the framing off; like ChunkDecoder::feed.
  using Decoded = ChunkDecoder::Decoded;
  base::Result<Decoded> feed_body(std::string_view input, char* out);

  // The stream has ended. kClosed if the message has not: only a response that has no length ends
  // with its connection.
  base::Status feed_eof();

  // Whether the message has ended.
  bool complete() const { return complete_; }

  // Of the body; once the head is complete.
  bool chunked() const { return (parser_.flags & F_CHUNKED) != 0; }
  // How much is missing; nothing if only its end will tell.
  std::optional<uint64_t> length_left() const { return length_left_; }

 private:
  static MessageParser& self(http_parser* parser) {
    return *static_cast<MessageParser*>(parser->data);
  }
  static int on_target(http_parser* parser, const char* at, size_t length);
  static int on_reason(http_parser* parser, const char* at, size_t length);
  static int on_header_name(http_parser* parser, const char* at, size_t length);
  static int on_header_value(http_parser* parser, const char* at, size_t length);
  static int on_head_complete(http_parser* parser);
  static int on_complete(http_parser* parser);
  static const http_parser_settings kCallbacks;

  int refuse(int status, const char* reason);
  int finish_header();
  bool has_folded_line(std::string_view input);
  base::Result<size_t> execute(std::string_view input);
  base::Error error(std::string_view reason) const;

  const Kind kind_;
  const HeadLimits limits_;
  http_parser parser_;
  MessageHead head_;
  std::string name_;  // of the header that is being read
  std::string value_;
  bool in_value_ = false;
  size_t head_bytes_ = 0;
  bool line_begins_ = false;  // the last byte of the head so far has ended a line
  bool head_complete_ = false;
  bool complete_ = false;
  bool no_body_ = false;
  int refusal_ = 400;
  const char* reason_ = nullptr;  // why we refuse, where http_parser does not
  ChunkDecoder chunks_;
  std::optional<uint64_t> length_left_;
};

}  // namespace http
