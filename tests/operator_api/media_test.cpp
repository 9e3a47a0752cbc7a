#include "operator_api/media.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

namespace {

using operator_api::Encoding;
using operator_api::negotiate;

constexpr char kJson[] = "application/json";
constexpr char kProtobuf[] = "application/x-protobuf";
constexpr char kRecordio[] = "application/recordio";

constexpr char kAnyContentType[] =
    "Expecting 'Content-Type' of application/json or application/x-protobuf or "
    "application/recordio";
constexpr char kAnyAccept[] =
    "Expecting 'Accept' to allow application/json or application/x-protobuf or "
    "application/recordio";

using Header = std::optional<std::string>;

http::Headers make_headers(const Header& content_type, const Header& message_content_type,
                           const Header& accept, const Header& message_accept) {
  http::Headers headers;
  if (content_type) headers.set("Content-Type", *content_type);
  if (message_content_type) headers.set("Message-Content-Type", *message_content_type);
  if (accept) headers.set("Accept", *accept);
  if (message_accept) headers.set("Message-Accept", *message_accept);
  return headers;
}

// "recordio of json -> protobuf", or "<status> <text>".
std::string outcome(const http::Headers& headers) {
  const auto media = negotiate(headers);
  if (!media) return std::to_string(media.error().status) + " " + media.error().body;
  const auto describe = [](bool streaming, Encoding encoding) {
    return std::string(streaming ? "recordio of " : "") +
           (encoding == Encoding::kJson ? "json" : "protobuf");
  };
  return describe(media->streaming_request, media->request) + " -> " +
         describe(media->streaming_response, media->response);
}

TEST(Media, ContentType) {
  const struct {
    Header type;
    Header message_type;
    std::string outcome;
  } kCases[] = {
      {{}, {}, "400 Expecting 'Content-Type' to be present"},
      {{}, kJson, "400 Expecting 'Content-Type' to be present"},
      {kJson, {}, "json -> json"},
      {kProtobuf, {}, "protobuf -> json"},
      // Better than Apache Mesos: types in any case, parameters ignored.
      {"Application/JSON", {}, "json -> json"},
      {"application/json; charset=utf-8", {}, "json -> json"},
      {"application/json;charset=UTF-8", {}, "json -> json"},
      {" application/x-protobuf ; messageType=\"x\"", {}, "protobuf -> json"},
      {"APPLICATION/RECORDIO;a=b", "Application/Json;c=d", "recordio of json -> json"},
      {"text/plain", {}, std::string("415 ") + kAnyContentType},
      {"", {}, std::string("415 ") + kAnyContentType},
      {";", {}, std::string("415 ") + kAnyContentType},
      {"application/*", {}, std::string("415 ") + kAnyContentType},
      {"application/json, application/x-protobuf", {}, std::string("415 ") + kAnyContentType},
      {"application/jsonx", {}, std::string("415 ") + kAnyContentType},
      {kRecordio, kJson, "recordio of json -> json"},
      {kRecordio, kProtobuf, "recordio of protobuf -> json"},
      {kRecordio, {}, "400 Expecting 'Message-Content-Type' to be set for streaming requests"},
      {kRecordio, kRecordio,
       "415 Expecting 'Message-Content-Type' of application/json or application/x-protobuf"},
      {kRecordio, "",
       "415 Expecting 'Message-Content-Type' of application/json or application/x-protobuf"},
      {kJson, kJson,
       "415 Expecting 'Message-Content-Type' to be not set for non-streaming requests"},
      {kProtobuf, "",
       "415 Expecting 'Message-Content-Type' to be not set for non-streaming requests"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(test.outcome, outcome(make_headers(test.type, test.message_type, {}, {})))
        << test.type.value_or("(none)") << ", " << test.message_type.value_or("(none)");
  }
}

TEST(Media, Accept) {
  const std::string none = std::string("406 ") + kAnyAccept;
  const struct {
    Header accept;
    std::string outcome;
  } kCases[] = {
      {{}, "json -> json"},
      {"*/*", "json -> json"},
      {"application/*", "json -> json"},
      {kJson, "json -> json"},
      {kProtobuf, "json -> protobuf"},
      {"APPLICATION/X-PROTOBUF", "json -> protobuf"},
      {"application/json;charset=utf-8", "json -> json"},
      // Nothing is ranked: JSON before protobuf before recordio.
      {"application/x-protobuf, application/json", "json -> json"},
      {"application/x-protobuf;q=1.0,application/json;q=0.1", "json -> json"},
      {"application/recordio, application/json", "json -> json"},
      {"application/recordio,application/x-protobuf", "json -> protobuf"},
      {"text/html, */*;q=0.1", "json -> json"},
      {" application/x-protobuf ", "json -> protobuf"},
      // q=0 refuses what its own entry names.
      {"application/json;q=0, application/x-protobuf", "json -> protobuf"},
      {"application/json; q=0.0, */*", "json -> protobuf"},
      {"application/json;Q=0,application/*", "json -> protobuf"},
      {"application/json;q=0.001", "json -> json"},
      {"application/*;q=0, */*", none},
      {"application/json;q=0, application/x-protobuf;q=0, */*", "json -> recordio of json"},
      {"application/json;q=0", none},
      {"text/html", none},
      {"", none},
      {",", none},
      {"json", none},
      {"application/jsonx", none},
      {kRecordio, "json -> recordio of json"},
      {"application/recordio;q=0", none},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(test.outcome, outcome(make_headers(kJson, {}, test.accept, {})))
        << test.accept.value_or("(none)");
  }
}

TEST(Media, MessageAccept) {
  const std::string not_set =
      "406 Expecting 'Message-Accept' to be not set for non-streaming responses";
  const std::string none =
      "406 Expecting 'Message-Accept' to allow application/json or application/x-protobuf";
  const struct {
    Header accept;
    Header message_accept;
    std::string outcome;
  } kCases[] = {
      {kRecordio, {}, "json -> recordio of json"},
      {kRecordio, kJson, "json -> recordio of json"},
      {kRecordio, kProtobuf, "json -> recordio of protobuf"},
      {kRecordio, "*/*", "json -> recordio of json"},
      {kRecordio, "application/x-protobuf, application/json", "json -> recordio of json"},
      {kRecordio, kRecordio, none},
      {kRecordio, "text/html", none},
      {kRecordio, "", none},
      {kJson, kJson, not_set},
      {kProtobuf, kJson, not_set},
      {{}, kJson, not_set},
      {"*/*", "", not_set},
      {"application/recordio, application/json", kJson, not_set},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(test.outcome, outcome(make_headers(kJson, {}, test.accept, test.message_accept)))
        << test.accept.value_or("(none)") << ", " << test.message_accept.value_or("(none)");
  }
}

// The content type is looked at first.
TEST(Media, Order) {
  EXPECT_EQ("400 Expecting 'Content-Type' to be present",
            outcome(make_headers({}, {}, "text/html", {})));
  EXPECT_EQ("415 Expecting 'Message-Content-Type' to be not set for non-streaming requests",
            outcome(make_headers(kJson, kJson, "text/html", {})));
}

// mesos-go sends Accept twice; the last one counts.
TEST(Media, RepeatedHeaders) {
  http::Headers headers = make_headers(kJson, {}, {}, kProtobuf);
  headers.append("Accept", kJson);
  headers.append("accept", kRecordio);
  EXPECT_EQ("json -> recordio of protobuf", outcome(headers));
}

TEST(Media, Refusals) {
  const auto media = negotiate({});
  ASSERT_FALSE(media.has_value());
  EXPECT_EQ("text/plain; charset=utf-8", *media.error().headers.find("Content-Type"));
}

TEST(Media, Names) {
  EXPECT_STREQ(kJson, operator_api::name_of(Encoding::kJson));
  EXPECT_STREQ(kProtobuf, operator_api::name_of(Encoding::kProtobuf));
}

}  // namespace
