#include "agent/master/zookeeper/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using agent::hide_password;
using agent::parse_zookeeper_url;

TEST(ZooKeeperUrl, has_servers_and_a_path) {
  const auto url = parse_zookeeper_url("zk://10.0.0.1:2181,zk2.example:2182/mesos");
  ASSERT_TRUE(url.has_value()) << url.error().message;
  EXPECT_EQ("10.0.0.1:2181,zk2.example:2182", url->servers);
  EXPECT_EQ("", url->credentials);
  EXPECT_EQ("/mesos", url->path);
  EXPECT_EQ("/a/b", parse_zookeeper_url("zk://h:1/a/b/")->path);
}

TEST(ZooKeeperUrl, may_have_credentials) {
  const auto url = parse_zookeeper_url("zk://agent:p@ss:w,rd@h:1,i:2/mesos");
  ASSERT_TRUE(url.has_value()) << url.error().message;
  EXPECT_EQ("agent:p@ss:w,rd", url->credentials);
  EXPECT_EQ("h:1,i:2", url->servers);
}

TEST(ZooKeeperUrl, refuses_the_rest_without_quoting_it) {
  for (const char* text : {"",
                           "zk://",
                           "zk://h:1",
                           "zk://h:1/",
                           "zk://h:1//",
                           "zk:///mesos",
                           "zk://h/mesos",
                           "zk://h:/mesos",
                           "zk://h:0/mesos",
                           "zk://h:65536/mesos",
                           "zk://:1/mesos",
                           "zk://h:1,/mesos",
                           "zk://,h:1/mesos",
                           "zk://a b:1/mesos",
                           "zk://h:1/a//b",
                           "zk://h:1/..",
                           "zk://h:1/./a",
                           "zk://h:1/a b",
                           "zk://@h:1/mesos",
                           "zk://secret@h:1/mesos",
                           "zk://:secret@h:1/mesos",
                           "zk://user:secret/mesos@h:1",
                           "ZK://h:1/mesos",
                           "h:1/mesos"}) {
    const auto url = parse_zookeeper_url(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_THAT(url.error().message, testing::HasSubstr("expected zk://host:port,host:port/path"));
    EXPECT_THAT(url.error().message, testing::Not(testing::HasSubstr("secret")));
  }
}

TEST(ZooKeeperUrl, is_shown_without_its_password) {
  EXPECT_EQ("zk://agent:***@h:1/mesos", hide_password("zk://agent:secret@h:1/mesos"));
  EXPECT_EQ("--master=zk://agent:***@h:1/m", hide_password("--master=zk://agent:s:@h@h:1/m"));
  EXPECT_EQ("zk://h:1,i:2/mesos", hide_password("zk://h:1,i:2/mesos"));
  EXPECT_EQ("master@h:5050", hide_password("master@h:5050"));
  // Malformed ones too.
  EXPECT_EQ("zk://agent:***@h:1/mesos", hide_password("zk://agent:sec/ret@h:1/mesos"));
  EXPECT_EQ("zk://***@h:1/mesos", hide_password("zk://secret@h:1/mesos"));
  EXPECT_EQ("a@zk://h", hide_password("a@zk://h"));
}

}  // namespace
