#include "http/message.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <regex>
#include <string>

namespace {

using namespace std::string_literals;
using base::ErrorKind;

TEST(Message, reason_phrases_are_the_classic_ones) {
  EXPECT_EQ(http::reason_phrase(200), "OK");
  EXPECT_EQ(http::reason_phrase(408), "Request Time-out");
  EXPECT_EQ(http::reason_phrase(416), "Requested range not satisfiable");
  EXPECT_EQ(http::reason_phrase(503), "Service Unavailable");
  EXPECT_EQ(http::reason_phrase(799), "Unknown");
}

TEST(Message, error_responses) {
  const http::Response response = http::error_response(403);
  EXPECT_EQ(response.status, 403);
  EXPECT_EQ(response.body, "403 Forbidden.");
  EXPECT_EQ(*response.headers.find("Content-Type"), "text/plain; charset=utf-8");
  EXPECT_EQ(http::error_response(400, "why").body, "why");

  EXPECT_EQ(http::error_response(base::Error(ErrorKind::kNotFound, "gone")).status, 404);
  EXPECT_EQ(http::error_response(base::Error(ErrorKind::kInvalid, "x")).status, 400);
  EXPECT_EQ(http::error_response(base::Error(ErrorKind::kConflict, "x")).status, 409);
  EXPECT_EQ(http::error_response(base::Error(ErrorKind::kUnsupported, "x")).status, 501);
  EXPECT_EQ(http::error_response(base::Error("x")).status, 500);
  base::Error large(ErrorKind::kInvalid, "x");
  large.code = EMSGSIZE;
  EXPECT_EQ(http::status_of(large), 413);
}

TEST(Message, date) {
  const std::regex format(
      "(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-3][0-9] "
      "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) 20[0-9]{2} "
      "[0-2][0-9]:[0-5][0-9]:[0-6][0-9] GMT");
  EXPECT_TRUE(std::regex_match(std::string(http::http_date()), format)) << http::http_date();
}

TEST(Message, heads) {
  const std::string head = http::format_response_head(404, {{"A", "b"}, {"C", ""}});
  EXPECT_TRUE(head.starts_with("HTTP/1.1 404 Not Found\r\nDate: ")) << head;
  EXPECT_TRUE(head.ends_with(" GMT\r\nA: b\r\nC: \r\n")) << head;
  EXPECT_EQ(http::format_request_head("POST", "/x", {{"A", "b"}}), "POST /x HTTP/1.1\r\nA: b\r\n");
}

TEST(Message, a_date_that_is_there_is_kept) {
  EXPECT_EQ(http::format_response_head(200, {{"date", "then"}}),
            "HTTP/1.1 200 OK\r\ndate: then\r\n");
}

TEST(Message, no_value_starts_a_new_field) {
  const std::string head = http::format_request_head("GET", "/", {{"A", "b\r\nEvil: yes\n\0x"s}});
  EXPECT_EQ(head, "GET / HTTP/1.1\r\nA: b  Evil: yes  x\r\n");
}

}  // namespace
