#include "agent/logging.h"

#include <gflags/gflags.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/scratch.h"

namespace {

std::string in_gflags(const char* name) {
  std::string value;
  return google::GetCommandLineOption(name, &value) ? value : "(unknown)";
}

TEST(Logging, follows_the_flags) {
  const google::FlagSaver restore;
  agent::Flags flags;
  flags.logging_level = "INFO";
  ASSERT_TRUE(agent::configure_logging(flags).has_value());
  EXPECT_EQ(in_gflags("minloglevel"), "0");
  EXPECT_EQ(in_gflags("stderrthreshold"), "0");

  flags.logging_level = "ERROR";
  flags.quiet = true;
  ASSERT_TRUE(agent::configure_logging(flags).has_value());
  EXPECT_EQ(in_gflags("minloglevel"), "2");
  EXPECT_EQ(in_gflags("stderrthreshold"), "3");

  flags.logging_level = "WARNING";
  ASSERT_TRUE(agent::configure_logging(flags).has_value());
  EXPECT_EQ(in_gflags("minloglevel"), "1");
}

TEST(Logging, makes_its_directory) {
  const google::FlagSaver restore;
  const tests::ScratchDirectory scratch;
  agent::Flags flags;
  flags.log_dir = scratch / "a/b";
  EXPECT_TRUE(agent::configure_logging(flags).has_value());
  EXPECT_TRUE(std::filesystem::is_directory(*flags.log_dir));

  flags.log_dir = "/proc/version/logs";
  EXPECT_FALSE(agent::configure_logging(flags).has_value());
}

}  // namespace
