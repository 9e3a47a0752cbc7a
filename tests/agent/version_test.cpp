#include "agent/version.h"

#include <gtest/gtest.h>

#include <ctime>
#include <string>

namespace {

TEST(Version, IsWhatClientsCompare) {
  const auto info = agent::version_info();
  EXPECT_EQ("1.12.0", info.version());
  EXPECT_TRUE(info.git_tag().starts_with("mesos-agent-")) << info.git_tag();
  EXPECT_FALSE(info.has_git_sha());
  EXPECT_TRUE(info.has_build_user());
}

TEST(Version, BuildDateIsTheBuildTime) {
  const auto info = agent::version_info();
  std::tm parts{};
  const char* end = strptime(info.build_date().c_str(), "%Y-%m-%d %H:%M:%S", &parts);
  ASSERT_NE(nullptr, end);
  EXPECT_STREQ(" UTC", end);
  EXPECT_EQ(info.build_time(), static_cast<double>(timegm(&parts)));
  EXPECT_GT(info.build_time(), 1.7e9);
}

TEST(Version, Text) {
  const std::string own = agent::version_info().git_tag().substr(sizeof("mesos-agent-") - 1);
  EXPECT_EQ("mesos-agent " + own + " (speaks Apache Mesos 1.12.0)", agent::version_text());
}

}  // namespace
