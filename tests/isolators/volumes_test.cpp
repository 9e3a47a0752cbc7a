// Persistent volumes: their places in a sandbox, and filesystem/posix, which links them there.
// (What filesystem/linux mounts is tested in tests/integration/test_master_volumes.py: it takes
// root.)
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "base/files.h"
#include "isolators/filesystem_linux.h"
#include "isolators/filesystem_posix.h"
#include "isolators/volume_place.h"
#include "tests/base/scratch_loop_test.h"

namespace {

namespace fs = std::filesystem;

using isolators::ContainerConfig;
using isolators::ContainerId;
using isolators::FilesystemPosixIsolator;
using isolators::normalize_container_path;

TEST(ContainerPath, IsBroughtIntoOneForm) {
  const struct {
    const char* given;
    const char* normal;
  } kCases[] = {
      {"data", "data"},  {"data/", "data"},    {"./data", "data"}, {"a/b/c", "a/b/c"},
      {"a//b/.", "a/b"}, {"..data", "..data"}, {"a/...", "a/..."}, {"with blank", "with blank"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(test.normal, normalize_container_path(test.given).value_or("refused")) << test.given;
  }
}

TEST(ContainerPath, IsBelowTheSandbox) {
  const struct {
    std::string path;
    const char* why;
  } kCases[] = {
      {"/data", "is absolute: it must be below the sandbox"},
      {"", "names nothing"},
      {"./", "names nothing"},
      {"..", "has '..' in it"},
      {"a/../b", "has '..' in it"},
      {std::string("a\0b", 3), "has a NUL in it"},
      {std::string(256, 'n'), "has a name that is too long"},
  };
  for (const auto& test : kCases) {
    const auto normal = normalize_container_path(test.path);
    ASSERT_FALSE(normal.has_value()) << test.path;
    EXPECT_EQ(base::ErrorKind::kInvalid, normal.error().kind);
    EXPECT_EQ("the container path '" + test.path + "' " + test.why, normal.error().message);
  }
}

class VolumesTest : public tests::ScratchLoopTest {
 protected:
  VolumesTest() {
    for (const std::string name : {"sandbox", "other", "v1", "v2", "outside"}) {
      fs::create_directory(scratch_ / name);
    }
  }

  ContainerConfig config(const std::string& sandbox = "sandbox") const {
    ContainerConfig config;
    config.set_directory(scratch_ / sandbox);
    return config;
  }

  void add(ContainerConfig& config, const std::string& volume, const std::string& path) const {
    auto* added = config.add_volumes();
    added->set_host_path(scratch_ / volume);
    added->set_container_path(path);
  }

  ContainerConfig with(const std::string& volume, const std::string& path) const {
    ContainerConfig one = config();
    add(one, volume, path);
    return one;
  }

  base::Status prepare(const ContainerConfig& wanted) {
    isolators::LaunchSpec spec;
    auto prepared = run(isolator_.prepare(kId, wanted, &spec));
    EXPECT_TRUE(spec.mounts.empty());
    return prepared;
  }

  std::string link(const std::string& path) const {
    std::error_code error;
    return fs::read_symlink(scratch_ / ("sandbox/" + path), error);
  }

  static inline const ContainerId kId = ContainerId::root_of("a");
  FilesystemPosixIsolator isolator_;
};

TEST_F(VolumesTest, AreLinksInTheSandbox) {
  ContainerConfig both = with("v1", "data");
  add(both, "v2", "a/b/c");
  ASSERT_TRUE(prepare(both));
  EXPECT_EQ(scratch_ / "v1", link("data"));
  EXPECT_EQ(scratch_ / "v2", link("a/b/c"));
}

TEST_F(VolumesTest, ComeAndGoWithAnUpdate) {
  ASSERT_TRUE(prepare(config()));
  ASSERT_TRUE(isolator_.update(kId, with("v1", "data")));
  EXPECT_EQ(scratch_ / "v1", link("data"));
  ASSERT_TRUE(isolator_.update(kId, with("v2", "data")));
  EXPECT_EQ(scratch_ / "v2", link("data"));
  ASSERT_TRUE(isolator_.update(kId, config()));
  EXPECT_FALSE(fs::exists(fs::symlink_status(scratch_ / "sandbox/data")));
  EXPECT_TRUE(fs::is_directory(scratch_ / "v2"));
}

// Another run of the agent knows from the configuration what there is, and finds what it does not
// know of.
TEST_F(VolumesTest, OutliveTheAgent) {
  ASSERT_TRUE(prepare(with("v1", "data")));
  {
    FilesystemPosixIsolator next;
    ASSERT_TRUE(next.recover(kId, with("v1", "data")));
    ASSERT_TRUE(next.update(kId, config()));
    EXPECT_EQ("", link("data"));
  }
  ASSERT_TRUE(isolator_.update(kId, with("v2", "data")));
  FilesystemPosixIsolator next;
  ASSERT_TRUE(next.recover(kId, config()));
  ASSERT_TRUE(next.update(kId, with("v2", "data")));
  EXPECT_EQ(scratch_ / "v2", link("data"));
}

// A container that cannot be freed is given up without cleanup(). The number of its descriptor may
// soon be another one's, where nothing of this is to be mounted.
TEST_F(VolumesTest, NothingIsMountedForAContainerThatWasGivenUp) {
  isolators::FilesystemLinuxIsolator isolator;
  ASSERT_TRUE(isolator.recover(kId, config()));
  auto pidfd = std::make_shared<const base::Fd>(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  isolator.set_process(kId, config(), pidfd);
  const int number = pidfd->get();
  pidfd.reset();
  const base::Fd other(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  ASSERT_EQ(number, other.get());
  const auto updated = isolator.update(kId, with("v1", "data"));
  EXPECT_TRUE(updated) << updated.error().message;  // setns() refuses a descriptor such as this
}

// Nor is what it had taken for what the next one of its id has.
TEST_F(VolumesTest, ALaterContainerBeginsAnew) {
  ASSERT_TRUE(prepare(with("v1", "data")));
  fs::remove(scratch_ / "sandbox/data");
  ASSERT_TRUE(prepare(with("v1", "data")));
  EXPECT_EQ(scratch_ / "v1", link("data"));
}

TEST_F(VolumesTest, NothingThatIsThereIsReplaced) {
  fs::create_symlink(scratch_ / "outside", scratch_ / "sandbox/link");
  std::ofstream(scratch_ / "sandbox/file") << "x";
  for (const std::string path : {"link", "link/a", "file", "file/a"}) {
    SCOPED_TRACE(path);
    FilesystemPosixIsolator isolator;
    EXPECT_FALSE(isolator.update(kId, with("v1", path)));
  }
  EXPECT_TRUE(fs::is_empty(scratch_ / "outside"));
  EXPECT_EQ(scratch_ / "outside", link("link"));
  EXPECT_TRUE(fs::is_regular_file(scratch_ / "sandbox/file"));
}

TEST_F(VolumesTest, WhatTheUserHasPutInItsPlaceStays) {
  ASSERT_TRUE(prepare(with("v1", "data")));
  fs::remove(scratch_ / "sandbox/data");
  fs::create_symlink(scratch_ / "outside", scratch_ / "sandbox/data");
  ASSERT_TRUE(isolator_.update(kId, config()));
  EXPECT_EQ(scratch_ / "outside", link("data"));
}

TEST_F(VolumesTest, AVolumeThatIsNotThere) {
  for (const std::string name : {"missing", "link"}) {
    if (name == "link") fs::create_symlink(scratch_ / "outside", scratch_ / name);
    const auto prepared = prepare(with(name, "data"));
    ASSERT_FALSE(prepared.has_value());
    EXPECT_EQ("", link("data"));
    EXPECT_TRUE(prepared.error().message.starts_with("Failed to provide the persistent volume '" +
                                                     (scratch_ / name) + "' at 'data'"))
        << prepared.error().message;
  }
}

}  // namespace
