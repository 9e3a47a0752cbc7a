#include "agent/agent_info.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>

namespace {

agent::Flags flags_with(const std::string& ip) {
  agent::Flags flags;
  flags.ip = ip;
  flags.port = 5051;
  return flags;
}

TEST(AgentInfo, HoldsWhatTheFlagsSay) {
  agent::Flags flags = flags_with("127.0.0.1");
  flags.hostname = "node-1.example";
  flags.hostname_lookup = true;
  flags.attributes = "rack:abc;zone:1";
  mesos::v1::Resource cpus;
  cpus.set_name("cpus");
  cpus.set_type(mesos::v1::Value::SCALAR);
  cpus.mutable_scalar()->set_value(2);
  const auto info = agent::make_agent_info(flags, {cpus}, "127.0.0.1");
  ASSERT_TRUE(info.has_value()) << info.error().message;
  EXPECT_EQ("node-1.example", info->hostname());
  EXPECT_EQ(5051, info->port());
  EXPECT_FALSE(info->has_id());
  ASSERT_EQ(1, info->resources_size());
  EXPECT_EQ("cpus", info->resources(0).name());
  ASSERT_EQ(2, info->attributes_size());
  EXPECT_EQ("abc", info->attributes(0).text().value());
  EXPECT_EQ(1, info->attributes(1).scalar().value());
}

TEST(AgentInfo, HostnameIsTheAddressWithoutLookup) {
  agent::Flags flags = flags_with("127.0.0.1");
  flags.hostname_lookup = false;
  EXPECT_EQ("127.0.0.1", agent::make_agent_info(flags, {}, "127.0.0.1")->hostname());
}

TEST(AgentInfo, HostnameIsLookedUp) {
  agent::Flags flags = flags_with("127.0.0.1");
  flags.hostname_lookup = true;
  EXPECT_EQ("localhost", agent::make_agent_info(flags, {}, "127.0.0.1")->hostname());
}

TEST(AgentInfo, RefusesBadAttributes) {
  agent::Flags flags = flags_with("127.0.0.1");
  flags.attributes = "rack";
  const auto info = agent::make_agent_info(flags, {}, "127.0.0.1");
  ASSERT_FALSE(info.has_value());
  EXPECT_EQ("--attributes: cannot take 'rack': expected name:value", info.error().message);
}

TEST(AgentInfo, AdvertisesOneAddress) {
  EXPECT_EQ("10.1.2.3", agent::advertised_ip(flags_with("10.1.2.3")));
  for (const agent::Flags& flags : {flags_with("0.0.0.0"), flags_with("::"), agent::Flags()}) {
    const std::string ip = agent::advertised_ip(flags);
    in_addr address{};
    EXPECT_EQ(1, inet_pton(AF_INET, ip.c_str(), &address)) << ip;
    EXPECT_NE(htonl(INADDR_ANY), address.s_addr);
  }
}

}  // namespace
