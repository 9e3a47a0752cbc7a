#include "http/message_parser.h"

#include <cstring>
#include <utility>

#include "base/strings.h"

namespace http {

const http_parser_settings MessageParser::kCallbacks = {
    .on_message_begin = nullptr,
    .on_url = on_target,
    .on_status = on_reason,
    .on_header_field = on_header_name,
    .on_header_value = on_header_value,
    .on_headers_complete = on_head_complete,
    .on_body = nullptr,
    .on_message_complete = on_complete,
    .on_chunk_header = nullptr,
    .on_chunk_complete = nullptr,
};

MessageParser::MessageParser(Kind kind, HeadLimits limits) : kind_(kind), limits_(limits) {
  reset();
}

void MessageParser::reset(bool no_body) {
  http_parser_init(&parser_, kind_ == Kind::kRequest ? HTTP_REQUEST : HTTP_RESPONSE);
  parser_.data = this;
  head_ = {};
  name_.clear();
  value_.clear();
  in_value_ = false;
  head_bytes_ = 0;
  line_begins_ = false;
  head_complete_ = false;
  complete_ = false;
  no_body_ = no_body;
  refusal_ = 400;
  reason_ = nullptr;
  chunks_ = {};
  length_left_.reset();
}

base::Result<size_t> MessageParser::feed_head(std::string_view input) {
  TRY(size_t consumed, execute(input));
  if (head_complete_) {
    // The parser stopped before the last byte of the head, a line feed. Only that byte makes it
    // decide what follows.
    if (input.substr(consumed, 1) != "\n") refuse(400, "LF character expected");
    http_parser_pause(&parser_, 0);
    TRY_VOID(execute(input.substr(consumed, 1)));
    ++consumed;
    if (complete_) {
      length_left_ = 0;
    } else if (!chunked() && (parser_.flags & F_CONTENTLENGTH) != 0) {
      length_left_ = parser_.content_length;
    }
  }
  if (has_folded_line(input.substr(0, consumed))) {
    refuse(400, "a header line begins with white space");
    return execute({});
  }
  head_bytes_ += consumed;
  if (head_bytes_ > limits_.bytes) {
    refuse(431, "too many header bytes");
    return execute({});
  }
  return consumed;
}

// A line that begins with white space goes on with the header above it, or is one of its own: that
// depends on who reads it, and so does where the body ends.
bool MessageParser::has_folded_line(std::string_view input) {
  while (!input.empty()) {
    if (line_begins_ && (input.front() == ' ' || input.front() == '\t')) return true;
    const size_t end = input.find('\n');
    line_begins_ = end != std::string_view::npos;
    if (!line_begins_) break;
    input.remove_prefix(end + 1);
  }
  return false;
}

base::Result<MessageParser::Decoded> MessageParser::feed_body(std::string_view input, char* out) {
  if (chunked()) {
    auto decoded = chunks_.feed(input, out);
    if (!decoded) return base::fail(error(decoded.error().message));
    complete_ = chunks_.complete();
    if (complete_) length_left_ = 0;
    return decoded;
  }
  if (length_left_) {
    input = input.substr(0, *length_left_);
    *length_left_ -= input.size();
    complete_ = *length_left_ == 0;
  }
  if (out != nullptr && out != input.data()) std::memmove(out, input.data(), input.size());
  return Decoded{input.size(), input.size()};
}

base::Status MessageParser::feed_eof() {
  if (head_complete_ && !complete_ && !chunked() && !length_left_) {
    complete_ = true;
    length_left_ = 0;
  }
  if (complete_) return {};
  return base::fail(base::ErrorKind::kClosed, kind_ == Kind::kRequest
                                                  ? "The request was cut short"
                                                  : "The response was cut short");
}

base::Result<size_t> MessageParser::execute(std::string_view input) {
  size_t consumed = 0;
  // No bytes at all mean the end of the stream to http_parser.
  if (reason_ == nullptr && !input.empty()) {
    consumed = http_parser_execute(&parser_, &kCallbacks, input.data(), input.size());
  }
  if (reason_ != nullptr) return base::fail(error(reason_));
  const auto code = HTTP_PARSER_ERRNO(&parser_);
  if (code == HPE_OK || code == HPE_PAUSED) return consumed;
  if (code == HPE_HEADER_OVERFLOW) refusal_ = 431;
  return base::fail(error(http_errno_description(code)));
}

base::Error MessageParser::error(std::string_view reason) const {
  return base::Error(base::ErrorKind::kInvalid,
                     base::concat("Failed to parse the HTTP ",
                                  kind_ == Kind::kRequest ? "request" : "response", ": ", reason));
}

int MessageParser::refuse(int status, const char* reason) {
  refusal_ = status;
  reason_ = reason;
  return -1;
}

int MessageParser::finish_header() {
  if (!in_value_) return 0;
  in_value_ = false;
  if (head_.headers.size() >= limits_.count) return refuse(431, "too many headers");
  head_.headers.append(std::exchange(name_, {}), std::string(base::trim(value_)));
  value_.clear();
  return 0;
}

int MessageParser::on_target(http_parser* parser, const char* at, size_t length) {
  self(parser).head_.target.append(at, length);
  return 0;
}

int MessageParser::on_reason(http_parser* parser, const char* at, size_t length) {
  self(parser).head_.reason.append(at, length);
  return 0;
}

int MessageParser::on_header_name(http_parser* parser, const char* at, size_t length) {
  MessageParser& me = self(parser);
  if (me.finish_header() != 0) return -1;
  if (std::memchr(at, ' ', length) != nullptr) {
    return me.refuse(400, "invalid character in header");
  }
  me.name_.append(at, length);
  return 0;
}

int MessageParser::on_header_value(http_parser* parser, const char* at, size_t length) {
  MessageParser& me = self(parser);
  me.in_value_ = true;
  me.value_.append(at, length);
  return 0;
}

int MessageParser::on_head_complete(http_parser* parser) {
  MessageParser& me = self(parser);
  if (me.finish_header() != 0) return -1;
  if (parser->http_major != 1) return me.refuse(505, "only HTTP/1.x is served");
  me.head_.minor_version = parser->http_minor;
  me.head_.keep_alive = http_should_keep_alive(parser) != 0;
  if (me.kind_ == Kind::kRequest) {
    me.head_.method = http_method_str(static_cast<http_method>(parser->method));
  } else {
    me.head_.status = static_cast<int>(parser->status_code);
  }
  parser->upgrade = 0;
  me.head_complete_ = true;
  http_parser_pause(parser, 1);
  return me.no_body_ ? 1 : 0;
}

int MessageParser::on_complete(http_parser* parser) {
  self(parser).complete_ = true;
  http_parser_pause(parser, 1);
  return 0;
}

}  // namespace http
