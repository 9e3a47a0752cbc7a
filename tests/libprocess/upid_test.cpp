#include "libprocess/upid.h"

#include <gtest/gtest.h>

namespace {

using libprocess::Upid;

TEST(Upid, is_read_and_written) {
  const auto upid = Upid::parse("slave(1)@10.0.0.7:5051");
  ASSERT_TRUE(upid.has_value()) << upid.error().message;
  EXPECT_EQ("slave(1)", upid->id);
  EXPECT_EQ(0x0A000007U, upid->ip);
  EXPECT_EQ(5051, upid->port);
  EXPECT_EQ("10.0.0.7:5051", upid->address().to_string());
  EXPECT_EQ("slave(1)@10.0.0.7:5051", upid->to_string());
  EXPECT_EQ("a@255.254.1.0:65535", Upid::parse("a@255.254.1.0:65535")->to_string());
}

TEST(Upid, has_blanks_around_it) {
  EXPECT_EQ(*Upid::parse("master@127.0.0.1:5050"), *Upid::parse(" \tmaster@127.0.0.1:5050\r\n"));
}

TEST(Upid, of_nobody_is_empty) {
  for (const char* text : {"", "  ", "@0.0.0.0:0", " @0.0.0.0:0 "}) {
    const auto upid = Upid::parse(text);
    ASSERT_TRUE(upid.has_value()) << text;
    EXPECT_TRUE(upid->empty()) << text;
  }
  EXPECT_EQ("@0.0.0.0:0", Upid{}.to_string());
  EXPECT_FALSE(Upid::parse("a@0.0.0.0:0")->empty());
  EXPECT_FALSE(Upid::parse("@0.0.0.0:1")->empty());
}

TEST(Upid, is_refused_with_a_reason) {
  const std::pair<const char*, const char*> cases[] = {
      {"slave(1)", "there is no '@'"},
      {"slave(1)@10.0.0.7", "there is no port"},
      {"slave(1)@10.0.0.7:", "the port is not a number"},
      {"slave(1)@10.0.0.7:65536", "the port is not a number"},
      {"slave(1)@10.0.0.7:-1", "the port is not a number"},
      {"slave(1)@10.0.0.7:5051x", "the port is not a number"},
      {"slave(1)@host:5051", "'host' is not a numeric IPv4 address"},
      {"slave(1)@10.0.7:5051", "'10.0.7' is not a numeric IPv4 address"},
      {"slave(1)@::1:5051", "'' is not a numeric IPv4 address"},
      {"a@b@10.0.0.7:5051", "'b@10.0.0.7' is not a numeric IPv4 address"},
      {"a b@10.0.0.7:5051", "has a character"},
      {"a\r\nX: y@10.0.0.7:5051", "has a character"},
      {"a/b@10.0.0.7:5051", "has a character"},
  };
  for (const auto& [text, why] : cases) {
    const auto upid = Upid::parse(text);
    ASSERT_FALSE(upid.has_value()) << text;
    EXPECT_EQ(base::ErrorKind::kInvalid, upid.error().kind) << text;
    EXPECT_NE(std::string::npos, upid.error().message.find(why)) << upid.error().message;
  }
}

TEST(Upid, differs_by_each_part) {
  const Upid master = *Upid::parse("master@10.0.0.1:5050");
  EXPECT_EQ(master, *Upid::parse("master@10.0.0.1:5050"));
  EXPECT_NE(master, *Upid::parse("master(1)@10.0.0.1:5050"));
  EXPECT_NE(master, *Upid::parse("master@10.0.0.2:5050"));
  EXPECT_NE(master, *Upid::parse("master@10.0.0.1:5051"));
}

}  // namespace
