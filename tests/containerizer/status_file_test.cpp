#include "containerizer/status_file.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "base/files.h"
#include "tests/scratch.h"

namespace {

using containerizer::create_status_file;
using containerizer::read_status_file;

class StatusFile : public testing::Test {
 protected:
  const tests::ScratchDirectory scratch_;
  const std::string path_ = scratch_ / "status";
};

TEST_F(StatusFile, HasRoomBeforeAnythingIsWritten) {
  ASSERT_TRUE(create_status_file(path_).has_value());
  struct stat info{};
  ASSERT_EQ(0, stat(path_.c_str(), &info));
  EXPECT_EQ(0, info.st_size);
  EXPECT_GT(info.st_blocks, 0);
}

TEST_F(StatusFile, WhatItSays) {
  EXPECT_FALSE(read_status_file(path_).value().status.has_value());
  EXPECT_FALSE(read_status_file(scratch_.path()).has_value()) << "a directory";
  const struct {
    const char* content;
    bool never_started;
    std::optional<int> status;
  } kCases[] = {
      {"0", false, 0},       {"256", false, 256},         {"15\n", false, 15},
      {"", false, SIGKILL},  {"never started", true, {}}, {"never started\n", true, {}},
      {"x", false, SIGKILL},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.content);
    ASSERT_TRUE(base::write_file(path_, test.content));
    const auto recorded = read_status_file(path_).value();
    EXPECT_EQ(test.never_started, recorded.never_started);
    EXPECT_EQ(test.status, recorded.status);
  }
}

}  // namespace
