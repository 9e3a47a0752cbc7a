#include "agent/master/zookeeper/candidates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/master/detector.h"

namespace {

using agent::find_leader;
using agent::read_candidate;
using testing::HasSubstr;

std::string leader_of(const std::vector<std::string>& children) {
  const auto leader = find_leader(children);
  return leader ? leader->name : "nobody";
}

TEST(FindLeader, is_the_lowest_number) {
  EXPECT_EQ("nobody", leader_of({}));
  EXPECT_EQ("json.info_0000000012",
            leader_of({"json.info_0000000100", "json.info_0000000012", "json.info_0000000013"}));
  // Whatever the label, and after ZooKeeper's counter has overflowed.
  EXPECT_EQ("info_0000000001", leader_of({"json.info_0000000002", "info_0000000001"}));
  EXPECT_EQ("json.info_-2147483647", leader_of({"json.info_0000000002", "json.info_-2147483647"}));
  EXPECT_EQ("0000000003", leader_of({"0000000003"}));
}

TEST(FindLeader, passes_over_what_has_no_number) {
  EXPECT_EQ("nobody", leader_of({"log_replicas", "json.info_", "json.info", "", "_", "a_1x",
                                 "json.info_4294967296"}));
  EXPECT_EQ("json.info_0000000007", leader_of({"log_replicas", "json.info_0000000007"}));
}

TEST(ReadCandidate, knows_the_forms_by_their_labels) {
  const auto json = read_candidate({"json.info_0000000001", 1}, R"({
    "id": "m1", "ip": 16777343, "port": 5050, "pid": "master@127.0.0.1:5050", "hostname": "m.example",
    "version": "1.11.0", "address": {"hostname": "m.example", "ip": "127.0.0.1", "port": 5050},
    "capabilities": [{"type": "AGENT_UPDATE"}, {"type": "NOT_YET_KNOWN"}], "later": {"field": []}})");
  ASSERT_TRUE(json.has_value()) << json.error().message;
  EXPECT_EQ("m1", json->id());
  EXPECT_EQ("m.example", json->hostname());
  EXPECT_EQ("master@127.0.0.1:5050", agent::pid_of(*json)->to_string());

  const auto message = read_candidate({"info_0000000001", 1}, json->SerializeAsString());
  ASSERT_TRUE(message.has_value()) << message.error().message;
  EXPECT_EQ("m1", message->id());

  const auto pid = read_candidate({"0000000001", 1}, "master@10.0.0.1:5050");
  ASSERT_TRUE(pid.has_value()) << pid.error().message;
  EXPECT_EQ("master@10.0.0.1:5050", pid->pid());
  EXPECT_EQ("10.0.0.1", pid->hostname());
}

TEST(ReadCandidate, refuses_what_is_no_master) {
  const auto refusal = [](const std::string& name, const std::string& content) {
    const auto read = read_candidate({name, 1}, content);
    return read ? "accepted" : read.error().message;
  };
  const std::string no_master = "_1' describes no master: ";
  EXPECT_THAT(refusal("json.info_1", ""), HasSubstr("'json.info" + no_master));
  EXPECT_THAT(refusal("json.info_1", "garbage"), HasSubstr(no_master));
  EXPECT_THAT(refusal("json.info_1", "[]"), HasSubstr(no_master));
  EXPECT_THAT(refusal("json.info_1", R"({"id": "m1"})"), HasSubstr("Missing required fields"));
  // A process that no message can be sent to.
  EXPECT_THAT(refusal("json.info_1", R"({"id": "m1", "ip": 1, "port": 1})"), HasSubstr(no_master));
  EXPECT_THAT(refusal("json.info_1", R"({"id": "m1", "ip": 1, "port": 1, "pid": "master@x:1"})"),
              HasSubstr("not a numeric IPv4"));
  EXPECT_THAT(refusal("info_1", "garbage"), HasSubstr("'info" + no_master));
  EXPECT_THAT(refusal("1", "garbage"), HasSubstr("'1' describes no master: "));
  EXPECT_THAT(refusal("other.info_1", "{}"), HasSubstr("a label that no master uses"));
}

}  // namespace
