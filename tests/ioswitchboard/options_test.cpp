#include "ioswitchboard/options.h"

#include <gtest/gtest.h>

#include <vector>

namespace ioswitchboard {
namespace {

using namespace std::chrono_literals;

base::Result<ServerOptions> parse(const std::vector<std::string>& arguments) {
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  return parse_options(pointers);
}

TEST(Options, AreReadAsTheyArePrinted) {
  ServerOptions options;
  options.directory = "/run/some where/io_switchboard";
  options.tty = true;
  options.wait_for_connection = true;
  options.heartbeat_interval = 1500ms;
  options.replay_size = base::Bytes(65536);
  options.stall_timeout = 250ms;
  const auto again = parse(print_options(options));
  ASSERT_TRUE(again.has_value()) << again.error().message;
  EXPECT_EQ(print_options(*again), print_options(options));
  EXPECT_EQ(again->directory, options.directory);
  EXPECT_TRUE(again->tty);
  EXPECT_TRUE(again->wait_for_connection);
  EXPECT_EQ(again->heartbeat_interval, 1500ms);
  EXPECT_EQ(again->replay_size.count(), 65536u);
  EXPECT_EQ(again->stall_timeout, 250ms);
}

TEST(Options, HaveDefaults) {
  const auto options = parse({});
  ASSERT_TRUE(options.has_value());
  EXPECT_FALSE(options->tty);
  EXPECT_FALSE(options->wait_for_connection);
  EXPECT_EQ(options->heartbeat_interval, 30s);
  EXPECT_EQ(options->replay_size.count(), 0u);
  EXPECT_EQ(options->stall_timeout, 30s);
}

TEST(Options, RefuseWhatTheyDoNotKnow) {
  for (const char* argument : {"tty", "--tty", "--ttyx=true", "--tty=yes", "--replay_size=1",
                               "--heartbeat_interval=0secs", "--heartbeat_interval=x", ""}) {
    const auto options = parse({argument});
    ASSERT_FALSE(options.has_value()) << argument;
    EXPECT_EQ(options.error().kind, base::ErrorKind::kInvalid);
  }
}

}  // namespace
}  // namespace ioswitchboard
