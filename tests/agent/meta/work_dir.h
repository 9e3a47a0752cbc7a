// The work_dir of an Apache Mesos agent as it was right after kill -9, for tests to read and spoil.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "agent/meta/paths.h"
#include "base/files.h"
#include "tests/scratch.h"

namespace tests {

// Two command tasks, each the only one of its framework (the second has ended, and that was
// acknowledged), and a task group with two tasks.
constexpr char kAgent[] = "730837d1-a80d-4b83-8016-abfea911fa5d-S0";
constexpr char kRunning[] = "730837d1-a80d-4b83-8016-abfea911fa5d-0000";
constexpr char kEnded[] = "730837d1-a80d-4b83-8016-abfea911fa5d-0001";
constexpr char kGroup[] = "730837d1-a80d-4b83-8016-abfea911fa5d-0002";
inline const agent::RunId kRunningRun{kRunning, "run", "a8301691-3530-4520-a587-5a087ba7248d"};
inline const agent::RunId kEndedRun{kEnded, "done", "f14c0ba0-3cd3-42cd-beab-88cb62c359a3"};
inline const agent::RunId kGroupRun{kGroup, "default-executor",
                                    "eea51d7d-873e-4f68-850d-e74f8111aaa6"};

inline std::string recorded_meta() { return TESTS_DATA_DIR "/workdir/meta"; }

inline std::string content_of(const std::string& path) {
  auto content = base::read_file(path);
  if (!content) ADD_FAILURE() << content.error().message;
  return content ? *content : "";
}

inline void put(const std::string& path, std::string_view content) {
  const auto directory = base::make_directories(path.substr(0, path.rfind('/')));
  ASSERT_TRUE(directory.has_value()) << directory.error().message;
  const auto written = base::write_file(path, content);
  ASSERT_TRUE(written.has_value()) << written.error().message;
}

// A copy in a directory of its own; as if the host had not been booted since.
class RecordedWorkDir {
 public:
  RecordedWorkDir() : paths(scratch_.path(), kAgent) {
    std::filesystem::copy(
        recorded_meta(), paths.meta(),
        std::filesystem::copy_options::recursive | std::filesystem::copy_options::copy_symlinks);
    std::ifstream boot_id("/proc/sys/kernel/random/boot_id");
    std::string now;
    boot_id >> now;
    put(paths.boot_id(), now);
    for (const agent::RunId& run : {kRunningRun, kEndedRun, kGroupRun}) {
      std::filesystem::create_directories(paths.sandbox(run));
    }
  }

  std::string work_dir() const { return scratch_.path(); }

 private:
  const ScratchDirectory scratch_;

 public:
  const agent::MetaPaths paths;
};

}  // namespace tests
