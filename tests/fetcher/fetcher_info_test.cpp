#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fetcher/cache.h"
#include "fetcher/fetcher.h"
#include "fetcher/work.h"
#include "proto/json_write.h"

namespace fetcher {
namespace {

using testing::ElementsAre;

// As Apache Mesos writes it.
constexpr char kInfo[] =
    R"({"sandbox_directory":"/sandbox","cache_directory":"/cache/me",)"
    R"("items":[{"uri":{"value":"http://h/a","cache":true,"extract":true},)"
    R"("action":"DOWNLOAD_AND_CACHE","cache_filename":"c1-a"},)"
    R"({"uri":{"value":"/b","extract":true},"action":"BYPASS_CACHE"}],)"
    R"("user":"me","frameworks_home":"/home","stall_timeout":{"nanoseconds":60000000000}})";

TEST(FetcherInfo, IsReadAsItIsWritten) {
  const auto info = read_fetcher_info(kInfo);
  ASSERT_TRUE(info);
  EXPECT_EQ("/sandbox", info->sandbox_directory());
  ASSERT_EQ(2, info->items_size());
  EXPECT_EQ(FetcherInfo::Item::DOWNLOAD_AND_CACHE, info->items(0).action());
  EXPECT_EQ("c1-a", info->items(0).cache_filename());
  EXPECT_EQ("/b", info->items(1).uri().value());
  EXPECT_EQ("me", info->user());
  EXPECT_EQ(60'000'000'000, info->stall_timeout().nanoseconds());
  std::string json;
  proto::append_json(*info, &json);
  const auto again = read_fetcher_info(json.c_str());
  ASSERT_TRUE(again);
  EXPECT_EQ(info->SerializeAsString(), again->SerializeAsString());
}

TEST(FetcherInfo, MustBeThereAndWhole) {
  EXPECT_FALSE(read_fetcher_info(nullptr));
  EXPECT_FALSE(read_fetcher_info(""));
  EXPECT_FALSE(read_fetcher_info("{}"));
  EXPECT_FALSE(read_fetcher_info(R"({"sandbox_directory":"/s","items":[{"action":0}]})"));
}

TEST(FetcherEnvironment, IsTheAgentsWithoutWhatIsAboutTheAgent) {
  const char* const environment[] = {
      "PATH=/bin",          "MESOS_WORK_DIR=/x",        "LIBPROCESS_PORT=1", "http_proxy=p",
      "MESOS_LOG_DIR=/log", "MESOS_LOGGING_LEVEL=INFO", "MESOS_FETCHER=x",   nullptr};
  EXPECT_THAT(
      inherited_environment(environment),
      ElementsAre("PATH=/bin", "http_proxy=p", "MESOS_LOG_DIR=/log", "MESOS_LOGGING_LEVEL=INFO"));
}

}  // namespace
}  // namespace fetcher
