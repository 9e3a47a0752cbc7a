#include "agent/gc/forgotten.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "tests/scratch.h"

namespace {

namespace fs = std::filesystem;
using agent::find_forgotten_sandboxes;
using agent::RunId;
using testing::ElementsAre;
using testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class Forgotten : public testing::Test {
 protected:
  // A run that was made long ago, and has written something since.
  void make(const RunId& run, std::chrono::hours written) {
    const std::string sandbox = paths_.sandbox(run);
    fs::create_directories(sandbox);
    std::ofstream(sandbox + "/stdout") << "text";
    std::ofstream(sandbox + "/stderr") << "text";
    set_age(sandbox + "/stdout", written);
    set_age(sandbox + "/stderr", 100h);
    for (const auto& path : {sandbox, paths_.work_runs(run.framework, run.executor),
                             paths_.work_executor(run.framework, run.executor),
                             paths_.work_framework(run.framework)}) {
      set_age(path, 100h);
    }
  }

  static void set_age(const std::string& path, std::chrono::hours age) {
    fs::last_write_time(path, fs::file_time_type::clock::now() - age);
  }

  static std::chrono::hours age(const std::string& path) {
    return std::chrono::round<std::chrono::hours>(fs::file_time_type::clock::now() -
                                                  fs::last_write_time(path));
  }

  tests::ScratchDirectory scratch_;
  const agent::MetaPaths paths_{scratch_.path(), "S0"};
};

TEST_F(Forgotten, None) {
  EXPECT_THAT(find_forgotten_sandboxes(paths_, {}), ElementsAre());
  make({"f", "e", "c"}, 10h);
  EXPECT_THAT(find_forgotten_sandboxes(paths_, {{"f", {"e"}}}), ElementsAre());
  EXPECT_EQ(100h, age(paths_.work_executor("f", "e")));
}

TEST_F(Forgotten, WhatIsNotKnown) {
  make({"known", "known", "c"}, 10h);
  make({"known", "lost", "c"}, 10h);
  make({"lost", "e1", "c"}, 20h);
  make({"lost", "e2", "c"}, 10h);
  std::ofstream(paths_.work_agent() + "/frameworks/file") << "text";
  EXPECT_THAT(
      find_forgotten_sandboxes(paths_, {{"known", {"known"}}, {"other", {"e1"}}}),
      UnorderedElementsAre(paths_.work_executor("known", "lost"), paths_.work_framework("lost")));
}

// Else what has run for long would go at once.
TEST_F(Forgotten, IsAsOldAsTheYoungestRun) {
  make({"known", "lost", "c1"}, 30h);
  make({"known", "lost", "c2"}, 20h);
  make({"lost", "e1", "c"}, 50h);
  make({"lost", "e2", "c"}, 40h);
  make({"young", "e", "c"}, 40h);
  set_age(paths_.work_framework("young"), 5h);
  find_forgotten_sandboxes(paths_, {{"known", {"known"}}});
  EXPECT_EQ(20h, age(paths_.work_executor("known", "lost")));
  EXPECT_EQ(40h, age(paths_.work_framework("lost")));
  EXPECT_EQ(5h, age(paths_.work_framework("young")));
}

TEST_F(Forgotten, FollowsNoLinks) {
  const std::string outside = scratch_ / "outside";
  fs::create_directory(outside);
  std::ofstream(outside + "/stdout") << "text";
  make({"lost", "e", "c"}, 50h);
  fs::create_symlink(outside, paths_.work_agent() + "/frameworks/link");
  fs::create_symlink(outside, paths_.work_runs("lost", "e") + "/latest");
  set_age(paths_.work_framework("lost"), 100h);
  EXPECT_THAT(find_forgotten_sandboxes(paths_, {}), ElementsAre(paths_.work_framework("lost")));
  EXPECT_EQ(50h, age(paths_.work_framework("lost")));
}

}  // namespace
