#include "agent/master/detector.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/master/credential.h"
#include "agent/master/master_address.h"
#include "agent/master/registration.h"
#include "base/files.h"
#include "tests/base/scratch_loop_test.h"

namespace {

using agent::make_master_detector;
using testing::HasSubstr;
using namespace std::chrono_literals;

class DetectorTest : public tests::ScratchLoopTest {
 protected:
  // Whom --master names; fails the test if that is refused.
  mesos::v1::MasterInfo detect(const std::string& flag) {
    auto detector = make_master_detector(flag, 10s);
    EXPECT_TRUE(detector.has_value()) << detector.error().message;
    if (!detector) return {};
    return run((*detector)->detect(std::nullopt)).value().value();
  }
  static std::string refusal(const std::string& flag) {
    const auto detector = make_master_detector(flag, 10s);
    return detector ? "accepted" : detector.error().message;
  }
};

TEST_F(DetectorTest, finds_the_master_that_is_named) {
  const auto master = detect("127.0.0.1:5050");
  EXPECT_EQ("master@127.0.0.1:5050", master.pid());
  EXPECT_EQ(htonl(0x7F000001), master.ip());
  EXPECT_EQ(5050U, master.port());
  EXPECT_EQ("127.0.0.1", master.address().ip());
  EXPECT_EQ(5050, master.address().port());
  EXPECT_EQ(3, master.capabilities_size());
  EXPECT_TRUE(master.IsInitialized());
  EXPECT_EQ(master.pid(), agent::pid_of(master)->to_string());

  EXPECT_EQ("master@127.0.0.1:1234", detect("master@127.0.0.1:1234").pid());
  const auto by_name = detect("localhost:5050");
  EXPECT_EQ("master@127.0.0.1:5050", by_name.pid());
  EXPECT_EQ("localhost", by_name.hostname());
}

TEST_F(DetectorTest, knows_the_name_that_was_given) {
  EXPECT_EQ("localhost", make_master_detector("master@localhost:5050", 10s).value()->host_name());
  EXPECT_EQ("", make_master_detector("127.0.0.1:5050", 10s).value()->host_name());
}

TEST_F(DetectorTest, finds_the_master_that_a_file_names) {
  const std::string path = scratch_ / "master";
  ASSERT_TRUE(base::write_file(path, " 127.0.0.1:5050\n"));
  EXPECT_EQ("master@127.0.0.1:5050", detect("file://" + path).pid());
  ASSERT_TRUE(base::write_file(path, "zk://user:secret@host:2181/\n"));
  EXPECT_THAT(refusal("file://" + path),
              HasSubstr("--master=file://" + path + ": expected zk://host:port,host:port/path"));
  EXPECT_THAT(refusal("file://" + path + "x"), HasSubstr("No such file"));
}

TEST_F(DetectorTest, refuses_what_names_no_master) {
  for (const char* flag : {"", "host", "host:", ":5050", "host:0", "host:65536", "host:x", "a b:1",
                           "@host:5050", "host:5050/mesos", "http://host:5050"}) {
    EXPECT_THAT(refusal(flag),
                HasSubstr("expected host:port, master@host:port, zk://... or file:///path"))
        << flag;
  }
  EXPECT_THAT(refusal("zk://agent:secret@a:2181,b:2181/"),
              HasSubstr("--master=zk://agent:***@a:2181,b:2181/: expected zk://host:port"));
  EXPECT_THAT(refusal("no-such-host.invalid:5050"), HasSubstr("has no IPv4 address"));
}

// What happens when there is one is for tests/integration/test_zookeeper.py.
TEST_F(DetectorTest, waits_for_zookeeper_if_it_has_a_client) {
  auto detector = make_master_detector("zk://agent:secret@127.0.0.1:1/mesos", 10s);
  if (detector) {
    EXPECT_FALSE(run(base::with_timeout((*detector)->detect(std::nullopt), 30ms)).has_value());
  } else {
    EXPECT_THAT(detector.error().message,
                testing::StartsWith("--master=zk://agent:***@127.0.0.1:1/mesos: this build has no "
                                    "ZooKeeper client: "));
  }
}

TEST_F(DetectorTest, tells_of_the_same_master_once) {
  auto detector = make_master_detector("127.0.0.1:5050", 10s).value();
  const auto first = run(detector->detect(std::nullopt)).value();
  EXPECT_FALSE(run(base::with_timeout(detector->detect(first), 30ms)).has_value());
  // But again to who asks anew, or knows another.
  EXPECT_TRUE(run(detector->detect(std::nullopt)).value().has_value());
  auto other = first;
  other->set_id("other");
  EXPECT_EQ(first->id(), run(detector->detect(other)).value()->id());
}

TEST(PidOf, refuses_a_master_that_is_nobody) {
  mesos::v1::MasterInfo master;
  EXPECT_FALSE(agent::pid_of(master).has_value());
  master.set_pid("@0.0.0.0:0");
  EXPECT_FALSE(agent::pid_of(master).has_value());
}

TEST_F(DetectorTest, reads_credentials) {
  const std::string path = scratch_ / "credential";
  ASSERT_TRUE(base::write_file(path, R"({"principal": "agentp", "secret": "s3cret"})", 0600));
  const auto credential = agent::load_credential({path});
  ASSERT_TRUE(credential.has_value()) << credential.error().message;
  EXPECT_EQ("agentp", credential->principal);
  EXPECT_EQ("s3cret", credential->secret);

  for (const char* text :
       {"", "{}", "agentp s3cret", R"({"principal":"agentp"})",
        R"({"principal":"agentp","secret":""})", R"({"principal":1,"secret":"s3cret"})"}) {
    ASSERT_TRUE(base::write_file(path, text, 0600));
    const auto refused = agent::load_credential({path});
    ASSERT_FALSE(refused.has_value()) << text;
    EXPECT_THAT(refused.error().message, HasSubstr("--credential: '" + path + "'"));
    EXPECT_EQ(std::string::npos, refused.error().message.find("s3cret"));
  }
  EXPECT_THAT(agent::load_credential({path + "x"}).error().message, HasSubstr("--credential: "));
}

TEST(SlaveInfo, has_the_field_that_agent_info_has_not) {
  mesos::v1::AgentInfo info;
  info.set_hostname("h");
  info.mutable_id()->set_value("S0");
  const auto slave = agent::to_slave_info(info);
  const std::string bytes = slave.SerializeAsString();
  const std::string checkpoint("\x38\x01", 2);  // field 7, a varint: 1
  EXPECT_EQ(1U, bytes.size() - info.SerializeAsString().size() - 1);
  EXPECT_NE(std::string::npos, bytes.find(checkpoint));
  EXPECT_EQ("", info.unknown_fields().empty() ? "" : "the original was changed");
  // A first registration has no id even if one is known.
  EXPECT_FALSE(agent::make_registration(info, agent::make_resource_version()).slave().has_id());
  EXPECT_EQ("S0", agent::make_reregistration(info, {}).slave().id().value());
}

TEST(ResourceVersion, is_a_uuid_of_version_4) {
  const std::string bytes = agent::make_resource_version().value();
  ASSERT_EQ(16U, bytes.size());
  EXPECT_EQ(0x40, bytes[6] & 0xF0);
  EXPECT_EQ(0x80, bytes[8] & 0xC0);
  EXPECT_NE(bytes, agent::make_resource_version().value());
}

}  // namespace
