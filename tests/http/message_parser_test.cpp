#include "http/message_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/strings.h"

namespace {

using namespace std::string_literals;
using http::HeadLimits;
using http::MessageHead;
using http::MessageParser;
using Kind = MessageParser::Kind;

struct Parsed {
  MessageHead head;
  std::string body;
  bool complete = false;
  std::string rest;  // after the message
  std::string error;
  int refusal = 0;
};

// Feeds the pieces as a connection does; a piece that is not used up goes on into the next one.
Parsed parse(Kind kind, const std::vector<std::string>& pieces, HeadLimits limits = {},
             bool no_body = false) {
  MessageParser parser(kind, limits);
  parser.reset(no_body);
  Parsed parsed;
  for (std::string piece : pieces) {
    if (!parser.head_complete() && !piece.empty()) {
      const auto n = parser.feed_head(piece);
      if (!n) return {.error = n.error().message, .refusal = parser.refusal()};
      piece.erase(0, *n);
      if (parser.head_complete()) {
        parsed.head = parser.take_head();
      } else {
        EXPECT_TRUE(piece.empty());
      }
    }
    if (parser.head_complete() && !parser.complete() && !piece.empty()) {
      const auto n = parser.feed_body(piece, piece.data());
      if (!n) return {.error = n.error().message, .refusal = parser.refusal()};
      parsed.body += piece.substr(0, n->produced);
      piece.erase(0, n->consumed);
      EXPECT_TRUE(piece.empty() || parser.complete());
    }
    parsed.rest += piece;
  }
  if (kind == Kind::kResponse && parser.head_complete() && !parser.complete()) {
    static_cast<void>(parser.feed_eof());
  }
  parsed.complete = parser.complete();
  return parsed;
}

TEST(MessageParser, request_split_at_every_position) {
  const std::string next = "GET /next HTTP/1.1\r\n\r\n";
  struct Case {
    std::string message, body;
  };
  const std::vector<Case> cases = {
      {"GET /a?b HTTP/1.1\r\nHost: x\r\nX-Y:  some value \r\n\r\n", ""},
      {"POST /a?b HTTP/1.1\r\nHost: x\r\nX-Y: some value\r\nContent-Length: 5\r\n\r\nhello",
       "hello"},
      {"POST /a?b HTTP/1.1\r\nHost: x\r\nX-Y:some value\r\nTransfer-Encoding: chunked\r\n\r\n"
       "3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\nTrailer: t\r\n\r\n",
       "hello"},
      {"POST /a?b HTTP/1.1\nHost: x\nX-Y: some value\nContent-Length: 0\n\n", ""},
  };
  for (const auto& [message, body] : cases) {
    const std::string all = message + next;
    for (size_t i = 0; i <= all.size(); ++i) {
      for (size_t j = i; j <= all.size(); j += 7) {
        const Parsed parsed =
            parse(Kind::kRequest, {all.substr(0, i), all.substr(i, j - i), all.substr(j)});
        ASSERT_EQ(parsed.error, "") << i << ' ' << j;
        ASSERT_TRUE(parsed.complete) << i << ' ' << j;
        EXPECT_EQ(parsed.head.target, "/a?b");
        EXPECT_EQ(*parsed.head.headers.find("x-y"), "some value");
        EXPECT_FALSE(parsed.head.headers.has("Trailer"));
        EXPECT_EQ(parsed.body, body);
        EXPECT_EQ(parsed.rest, next);
        EXPECT_TRUE(parsed.head.keep_alive);
      }
    }
  }
}

TEST(MessageParser, keep_alive) {
  const auto keeps = [](const std::string& head) {
    return parse(Kind::kRequest, {head}).head.keep_alive;
  };
  EXPECT_TRUE(keeps("GET / HTTP/1.1\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
  EXPECT_EQ(parse(Kind::kRequest, {"GET / HTTP/1.0\r\n\r\n"}).head.minor_version, 0);
}

TEST(MessageParser, upgrades_are_not_taken) {
  const Parsed parsed = parse(
      Kind::kRequest,
      {"POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
       "HTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.1\r\n\r\n"});
  EXPECT_EQ(parsed.error, "");
  EXPECT_TRUE(parsed.complete);
  EXPECT_EQ(parsed.body, "ok");
  EXPECT_EQ(parsed.rest, "GET / HTTP/1.1\r\n\r\n");
}

TEST(MessageParser, refuses_garbage) {
  struct Case {
    std::string text;
    int refusal;
  };
  const std::string chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::vector<Case> cases = {
      {"garbage\r\n\r\n", 400},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},  // TLS
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"FETCH / HTTP/1.1\r\n\r\n", 400},
      {"get / HTTP/1.1\r\n\r\n", 400},
      {"GET  HTTP/1.1\r\n\r\n", 400},
      {"GET nopath HTTP/1.1\r\n\r\n", 400},
      {"GET / XTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: b\r\n\rX", 400},
      {"GET / HTTP/1.x\r\n\r\n", 400},
      {"GET / HTTP/2.0\r\n\r\n", 505},
      {"GET /\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\nNo colon\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n: no name\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nBlank : before colon\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: b\0c\r\n\r\n"s, 400},
      {"GET / HTTP/1.1\r\nA\x01: b\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400},
      {"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nabc", 400},
      {chunked + "x\r\n", 400},
      {chunked + "\r\n", 400},
      {chunked + "-1\r\nabc\r\n", 400},
      {chunked + "ffffffffffffffffff\r\nabc\r\n", 400},
      {chunked + "3\r\nabcdef\r\n", 400},
  };
  for (const auto& [text, refusal] : cases) {
    const Parsed whole = parse(Kind::kRequest, {text});
    EXPECT_NE(whole.error, "") << text;
    EXPECT_EQ(whole.refusal, refusal) << text;
    EXPECT_TRUE(whole.error.starts_with("Failed to parse the HTTP request: ")) << whole.error;

    std::vector<std::string> bytes;
    for (const char c : text) bytes.emplace_back(1, c);
    const Parsed bytewise = parse(Kind::kRequest, bytes);
    EXPECT_EQ(bytewise.error, whole.error) << text;
    EXPECT_EQ(bytewise.refusal, refusal) << text;
  }
}

TEST(MessageParser, refuses_folded_lines) {
  const std::string line = "GET / HTTP/1.1\r\n";
  for (const std::string fields : {"A: b\r\n c\r\n", "A: b\r\n\tc\r\n", "A:\r\n b\r\n", " A: b\r\n",
                                   "A: b\r\n Content-Length: 5\r\n", "A: b\n c\r\n"}) {
    const std::string message = line + fields + "\r\n";
    EXPECT_EQ(parse(Kind::kRequest, {message}).refusal, 400) << fields;
    std::vector<std::string> bytes;
    for (const char c : message) bytes.emplace_back(1, c);
    EXPECT_EQ(parse(Kind::kRequest, bytes).refusal, 400) << fields;
  }
  // A body may begin as it likes.
  EXPECT_EQ(parse(Kind::kRequest, {line + "Content-Length: 2\r\n\r\n", " x"}).body, " x");
  EXPECT_EQ(parse(Kind::kRequest, {line + "Content-Length: 2\r\n\r\n x"}).body, " x");
}

TEST(MessageParser, an_error_stays) {
  MessageParser parser(Kind::kRequest);
  EXPECT_FALSE(parser.feed_head("garbage\r\n").has_value());
  EXPECT_FALSE(parser.feed_head("GET / HTTP/1.1\r\n\r\n").has_value());
  parser.reset();
  EXPECT_TRUE(parser.feed_head("GET / HTTP/1.1\r\n\r\n").has_value());
}

TEST(MessageParser, head_limits) {
  const auto request = [](size_t bytes) {
    const std::string start = "GET / HTTP/1.1\r\nA: ";
    return start + std::string(bytes - start.size() - 4, 'x') + "\r\n\r\n";
  };
  EXPECT_EQ(parse(Kind::kRequest, {request(1000)}, {.bytes = 1000}).error, "");
  EXPECT_EQ(parse(Kind::kRequest, {request(1001)}, {.bytes = 1000}).refusal, 431);
  EXPECT_EQ(parse(Kind::kRequest, {request(80 * 1000)}).error, "");
  EXPECT_EQ(parse(Kind::kRequest, {request(81 * 1024)}).refusal, 431);
  EXPECT_EQ(parse(Kind::kRequest, {request(200 * 1024)}, {.bytes = 1 << 30}).refusal, 431);
  EXPECT_EQ(parse(Kind::kRequest, std::vector<std::string>(2000, "\r\n"), {.bytes = 1000}).refusal,
            431);

  std::string head = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 5; ++i) head += base::concat("H", i, ": v\r\n");
  head += "\r\n";
  EXPECT_EQ(parse(Kind::kRequest, {head}, {.count = 5}).error, "");
  EXPECT_EQ(parse(Kind::kRequest, {head}, {.count = 4}).refusal, 431);

  // A trailer without end is refused, too.
  EXPECT_NE(parse(Kind::kRequest, {"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nT: ",
                                   std::string(100000, 'x')})
                .error,
            "");
}

TEST(MessageParser, responses) {
  const std::string close = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nabc";
  EXPECT_EQ(parse(Kind::kResponse, {close}).body, "abc");
  EXPECT_TRUE(parse(Kind::kResponse, {close}).complete);

  const std::string length = "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nhello";
  for (size_t i = 0; i <= length.size(); ++i) {
    const Parsed parsed = parse(Kind::kResponse, {length.substr(0, i), length.substr(i)});
    EXPECT_EQ(parsed.head.status, 404);
    EXPECT_EQ(parsed.head.reason, "Not Found");
    EXPECT_EQ(parsed.body, "hello");
    EXPECT_TRUE(parsed.complete);
  }
  EXPECT_FALSE(parse(Kind::kResponse, {length.substr(0, length.size() - 1)}).complete);
  EXPECT_TRUE(parse(Kind::kResponse, {length.substr(0, length.size() - 5)}, {}, true).complete);
  EXPECT_TRUE(parse(Kind::kResponse, {"HTTP/1.1 204 No Content\r\n\r\n"}).complete);
  EXPECT_TRUE(parse(Kind::kResponse, {"HTTP/1.1 100 Continue\r\n\r\n"}).complete);
  EXPECT_FALSE(
      parse(Kind::kResponse, {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"})
          .complete);
}

TEST(MessageParser, length_left) {
  MessageParser parser(Kind::kRequest);
  ASSERT_TRUE(parser.feed_head("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n").has_value());
  EXPECT_EQ(parser.length_left(), 5u);
  char out[8];
  ASSERT_TRUE(parser.feed_body("abc", out).has_value());
  EXPECT_EQ(parser.length_left(), 2u);
  ASSERT_TRUE(parser.feed_body("de", out).has_value());
  EXPECT_EQ(parser.length_left(), 0u);

  parser.reset();
  ASSERT_TRUE(
      parser.feed_head("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n").has_value());
  EXPECT_FALSE(parser.length_left().has_value());
}

}  // namespace
