#include "libprocess/message.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <string>

#include "proto/base64.h"
#include "proto/json_tree.h"

namespace {

using http::Headers;
using libprocess::encode_message;
using libprocess::is_message;
using libprocess::parse_message;
using libprocess::Upid;

const Upid kAgent = *Upid::parse("slave(1)@10.0.0.7:5051");
const Upid kObserver = *Upid::parse("slave-observer(1)@10.0.0.1:5050");

TEST(Message, is_recognised_by_its_fields) {
  EXPECT_TRUE(is_message("POST", {{"User-Agent", "libprocess/a@1.2.3.4:5"}}));
  EXPECT_TRUE(is_message("POST", {{"Libprocess-From", "a@1.2.3.4:5"}}));
  EXPECT_TRUE(is_message("POST", {{"user-agent", "curl"}, {"libprocess-from", ""}}));
  EXPECT_FALSE(is_message("GET", {{"Libprocess-From", "a@1.2.3.4:5"}}));
  EXPECT_FALSE(is_message("POST", {{"User-Agent", "curl libprocess/"}}));
  EXPECT_FALSE(is_message("POST", {{"User-Agent", "Libprocess/a@1.2.3.4:5"}}));
  EXPECT_FALSE(is_message("POST", {}));
}

TEST(Message, is_read_from_path_and_fields) {
  const Headers both = {{"User-Agent", "libprocess/other@1.2.3.4:5"},
                        {"Libprocess-From", "master@10.0.0.1:5050"}};
  auto message = parse_message("/slave(1)/mesos.internal.PingSlaveMessage", both);
  ASSERT_TRUE(message.has_value()) << message.error().message;
  EXPECT_EQ("master@10.0.0.1:5050", message->from.to_string());
  EXPECT_EQ("slave(1)", message->to);
  EXPECT_EQ("mesos.internal.PingSlaveMessage", message->name);
  EXPECT_EQ("", message->body);

  message = parse_message("/slave%281%29/a%2Eb", {{"User-Agent", "libprocess/x@1.2.3.4:5"}});
  ASSERT_TRUE(message.has_value()) << message.error().message;
  EXPECT_EQ("x@1.2.3.4:5", message->from.to_string());
  EXPECT_EQ("slave(1)", message->to);
  EXPECT_EQ("a.b", message->name);
}

TEST(Message, tells_from_whom_and_for_whom) {
  const Headers good = {{"Libprocess-From", "master@10.0.0.1:5050"}};
  for (const char* path :
       {"", "/", "/slave(1)", "/slave(1)/", "//name", "slave(1)/name", "/slave%2(1)/name",
        "/slave(1)/na%me", "*", "/slave(1)/a%0Ab", "/slave%00/name"}) {
    const auto message = parse_message(path, good);
    ASSERT_FALSE(message.has_value()) << path;
    EXPECT_EQ(base::ErrorKind::kInvalid, message.error().kind);
  }
  EXPECT_FALSE(parse_message("/slave(1)/" + std::string(257, 'x'), good).has_value());
  for (const char* from : {"", "@0.0.0.0:0", "master", "master@host:5050"}) {
    EXPECT_FALSE(parse_message("/slave(1)/name", {{"Libprocess-From", from}}).has_value()) << from;
  }
  EXPECT_FALSE(parse_message("/slave(1)/name", {{"User-Agent", "curl"}}).has_value());
}

TEST(Message, without_a_body_has_no_length) {
  EXPECT_EQ(
      "POST /slave-observer(1)/mesos.internal.PongSlaveMessage HTTP/1.1\r\n"
      "User-Agent: libprocess/slave(1)@10.0.0.7:5051\r\n"
      "Libprocess-From: slave(1)@10.0.0.7:5051\r\n"
      "Connection: Keep-Alive\r\n"
      "Host: 10.0.0.1:5050\r\n"
      "\r\n",
      encode_message(kAgent, kObserver, "mesos.internal.PongSlaveMessage", ""));
}

TEST(Message, with_a_body_is_one_chunk) {
  const std::string request =
      encode_message(kAgent, kObserver, "x.Y", std::string(27, '\0') + "\r\n");
  EXPECT_EQ(
      "POST /slave-observer(1)/x.Y HTTP/1.1\r\n"
      "User-Agent: libprocess/slave(1)@10.0.0.7:5051\r\n"
      "Libprocess-From: slave(1)@10.0.0.7:5051\r\n"
      "Connection: Keep-Alive\r\n"
      "Host: 10.0.0.1:5050\r\n"
      "Transfer-Encoding: chunked\r\n"
      "\r\n"
      "1d\r\n" +
          std::string(27, '\0') + "\r\n\r\n0\r\n\r\n",
      request);
}

// What an Apache Mesos agent and master have posted to each other.
class RecordedMessage : public testing::TestWithParam<const char*> {};

TEST_P(RecordedMessage, is_encoded_to_the_same_bytes) {
  std::ifstream file(std::string(TESTS_DATA_DIR "/recordings/master/") + GetParam());
  int seen = 0;
  for (std::string line; std::getline(file, line);) {
    const auto json = proto::parse_json_tree(line);
    ASSERT_TRUE(json.has_value());
    const std::string start = json->find("start")->text;
    const auto* fields = json->find("headers");
    if (!start.starts_with("POST ") || fields->find("Libprocess-From") == nullptr) continue;
    ++seen;
    Headers headers;
    std::string recorded = start + "\r\n";
    for (const auto& field : fields->items) {
      headers.append(field.name, field.text);
      recorded += field.name + ": " + field.text + "\r\n";
    }
    recorded += "\r\n";
    const auto* base64 = json->find("body_base64");
    const std::string body = base64 == nullptr ? "" : *proto::decode_base64(base64->text);
    if (!body.empty()) {
      char size[20];
      snprintf(size, sizeof(size), "%zx\r\n", body.size());
      recorded += size + body + "\r\n0\r\n\r\n";
    }

    ASSERT_TRUE(is_message("POST", headers)) << line;
    const std::string path = start.substr(5, start.rfind(' ') - 5);
    const auto message = parse_message(path, headers);
    ASSERT_TRUE(message.has_value()) << message.error().message;
    const Upid to = *Upid::parse(message->to + "@" + *headers.find("Host"));
    EXPECT_EQ(recorded, encode_message(message->from, to, message->name, body));
  }
  EXPECT_LT(3, seen);
}

INSTANTIATE_TEST_SUITE_P(Recordings, RecordedMessage,
                         testing::Values("authenticated-registration.jsonl",
                                         "agent-unregisters.jsonl", "master-restart.jsonl",
                                         "register-and-run-command-tasks.jsonl"));

}  // namespace
