#include "fetcher/sandbox_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "tests/scratch.h"

namespace fetcher {
namespace {

namespace fs = std::filesystem;

class SandboxFiles : public testing::Test {
 protected:
  SandboxFiles() {
    fs::create_directories(scratch_ / "root/inside");
    fs::create_directories(scratch_ / "outside");
    fs::create_directory_symlink(scratch_ / "outside", scratch_ / "root/absolute");
    fs::create_directory_symlink("../outside", scratch_ / "root/relative");
    fs::create_directory_symlink("inside", scratch_ / "root/link");
    root_ = base::Fd(open((scratch_ / "root").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }

  base::Status write(std::string_view path, std::string_view content) {
    TRY(NewFile file, NewFile::create(root_.get(), path));
    TRY_VOID(write_at(file.fd(), content, 0));
    return file.keep();
  }

  std::string read(const std::string& path) {
    return base::read_file(scratch_ / path).value_or("(nothing)");
  }

  tests::ScratchDirectory scratch_;
  base::Fd root_;
};

TEST_F(SandboxFiles, MakesDirectories) {
  EXPECT_TRUE(write("a/b/c", "x"));
  EXPECT_TRUE(write("a/b/d", "y"));
  EXPECT_EQ("x", read("root/a/b/c"));
  EXPECT_EQ("y", read("root/a/b/d"));
}

TEST_F(SandboxFiles, LinksAreFollowedInside) {
  EXPECT_TRUE(write("link/new/file", "x"));
  EXPECT_EQ("x", read("root/inside/new/file"));
}

TEST_F(SandboxFiles, NothingLeadsOutside) {
  for (const char* path : {"absolute/x", "relative/x", "absolute/new/x", "relative/new/x"}) {
    const auto written = write(path, "x");
    ASSERT_FALSE(written) << path;
    EXPECT_EQ(base::ErrorKind::kConflict, written.error().kind) << path;
  }
  EXPECT_TRUE(fs::is_empty(scratch_ / "outside"));
}

TEST_F(SandboxFiles, ReplacesALinkItself) {
  ASSERT_TRUE(base::write_file(scratch_ / "outside/victim", "untouched"));
  fs::create_symlink(scratch_ / "outside/victim", scratch_ / "root/file");
  EXPECT_TRUE(write("file", "x"));
  EXPECT_EQ("untouched", read("outside/victim"));
  EXPECT_EQ("x", read("root/file"));
  EXPECT_FALSE(fs::is_symlink(scratch_ / "root/file"));
}

TEST_F(SandboxFiles, WhatIsNotKeptIsGone) {
  ASSERT_TRUE(base::write_file(scratch_ / "root/file", "before"));
  {
    auto file = NewFile::create(root_.get(), "file");
    ASSERT_TRUE(file);
    EXPECT_TRUE(write_at(file->fd(), "new", 0));
    EXPECT_EQ("before", read("root/file"));
  }
  EXPECT_EQ("before", read("root/file"));
  EXPECT_EQ((std::vector<std::string>{"absolute", "file", "inside", "link", "relative"}),
            base::list_directory(scratch_ / "root"));
}

TEST_F(SandboxFiles, OnlyRegularFilesAreOpened) {
  ASSERT_EQ(0, mkfifo((scratch_ / "fifo").c_str(), 0600));
  EXPECT_FALSE(open_regular(AT_FDCWD, scratch_ / "fifo"));
  EXPECT_FALSE(open_regular(AT_FDCWD, scratch_ / "root"));
  EXPECT_FALSE(open_regular(AT_FDCWD, scratch_ / "missing"));
}

TEST_F(SandboxFiles, CopyStartsWhereTheFilesStand) {
  ASSERT_TRUE(base::write_file(scratch_ / "from", "0123456789"));
  const base::Fd from(open((scratch_ / "from").c_str(), O_RDONLY | O_CLOEXEC));
  const base::Fd to(open((scratch_ / "to").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  lseek(from.get(), 4, SEEK_SET);
  ASSERT_TRUE(copy_content(from.get(), to.get()));
  EXPECT_EQ("456789", read("to"));
}

}  // namespace
}  // namespace fetcher
