#include "base/beneath.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/files.h"
#include "tests/scratch.h"

namespace {

using base::ErrorKind;
using base::open_beneath;
namespace fs = std::filesystem;

class BeneathTest : public testing::Test {
 protected:
  BeneathTest() {
    EXPECT_TRUE(base::make_directories(top_ + "/dir/deeper"));
    EXPECT_TRUE(base::write_file(top_ + "/file", "inside"));
    EXPECT_TRUE(base::write_file(top_ + "/dir/file", "inside"));
    EXPECT_TRUE(base::write_file(scratch_ / "secret", "outside"));
    EXPECT_TRUE(base::make_directories(scratch_ / "root-2"));
    EXPECT_TRUE(base::write_file(scratch_ / "root-2/secret", "outside"));
  }

  // What is read through the path, or the kind of the error.
  std::string look(const std::string& path) {
    const auto root = base::open_root(top_);
    EXPECT_TRUE(root.has_value());
    auto fd = open_beneath(*root, path);
    if (!fd)
      return fd.error().kind == ErrorKind::kNotFound   ? "not found"
             : fd.error().kind == ErrorKind::kConflict ? "outside"
                                                       : fd.error().message;
    struct stat info{};
    EXPECT_EQ(0, fstat(fd->get(), &info));
    if (S_ISDIR(info.st_mode)) return "directory";
    if (!S_ISREG(info.st_mode)) return "special";
    auto opened = base::reopen_for_reading(*fd);
    EXPECT_TRUE(opened.has_value());
    char buffer[64];
    const ssize_t n = read(opened->get(), buffer, sizeof(buffer));
    return {buffer, static_cast<size_t>(std::max<ssize_t>(n, 0))};
  }

  void link(const std::string& target, const std::string& name) {
    fs::create_symlink(target, top_ + "/" + name);
  }

  const tests::ScratchDirectory scratch_;
  const std::string top_ = scratch_ / "root";
};

TEST_F(BeneathTest, WhatIsInsideIsFound) {
  EXPECT_EQ("inside", look("file"));
  EXPECT_EQ("inside", look("dir/file"));
  EXPECT_EQ("inside", look("dir//file"));
  EXPECT_EQ("inside", look("./dir/./file"));
  EXPECT_EQ("inside", look("dir/deeper/../../file"));
  EXPECT_EQ("directory", look(""));
  EXPECT_EQ("directory", look("."));
  EXPECT_EQ("directory", look("dir/"));
}

TEST_F(BeneathTest, WhatIsNotThere) {
  EXPECT_EQ("not found", look("none"));
  EXPECT_EQ("not found", look("none/file"));
  EXPECT_EQ("not found", look("file/below"));
  EXPECT_EQ("not found", look(std::string("file\0x", 6)));
  EXPECT_EQ("not found", look(std::string(300, 'x')));
  link("none", "broken");
  EXPECT_EQ("not found", look("broken"));
  link("loop", "loop");
  EXPECT_EQ("not found", look("loop"));
}

TEST_F(BeneathTest, NothingLeadsOutside) {
  EXPECT_EQ("outside", look(".."));
  EXPECT_EQ("outside", look("../secret"));
  EXPECT_EQ("inside", look("../root/file"));  // it comes back
  EXPECT_EQ("outside", look("dir/../../secret"));
  EXPECT_EQ("outside", look("/etc/passwd"));
  link("../secret", "relative");
  EXPECT_EQ("outside", look("relative"));
  link(scratch_ / "secret", "absolute");
  EXPECT_EQ("outside", look("absolute"));
  link("/", "everything");
  EXPECT_EQ("outside", look("everything/etc/passwd"));
  link("..", "dir/up");
  EXPECT_EQ("inside", look("dir/up/file"));
  EXPECT_EQ("outside", look("dir/up/../secret"));
  // A neighbour whose name only begins in the same way.
  link(scratch_ / "root-2/secret", "neighbour");
  EXPECT_EQ("outside", look("neighbour"));
  link("/proc/self/root/etc/passwd", "magic");
  EXPECT_EQ("outside", look("magic"));
  // A broken link that leads outside does not tell whether something is there.
  link(scratch_ / "no-such-secret", "broken");
  EXPECT_EQ("outside", look("broken"));
}

TEST_F(BeneathTest, LinksThatStayInsideAreFollowed) {
  link("file", "relative");
  EXPECT_EQ("inside", look("relative"));
  link("../file", "dir/up");
  EXPECT_EQ("inside", look("dir/up"));
  link(top_ + "/file", "absolute");
  EXPECT_EQ("inside", look("absolute"));
  link(top_ + "/dir", "directory");
  EXPECT_EQ("inside", look("directory/file"));
  link(top_, "top");
  EXPECT_EQ("directory", look("top"));
  EXPECT_EQ("inside", look("top/top/file"));
}

TEST_F(BeneathTest, SpecialFilesAreOpenedOnlyAsNames) {
  ASSERT_EQ(0, mkfifo((top_ + "/fifo").c_str(), 0600));
  EXPECT_EQ("special", look("fifo"));  // without waiting for a writer
}

TEST_F(BeneathTest, ARootBehindALink) {
  fs::create_directory_symlink(top_, scratch_ / "latest");
  const auto root = base::open_root(scratch_ / "latest");
  ASSERT_TRUE(root.has_value());
  EXPECT_TRUE(open_beneath(*root, "file").has_value());
  link(top_ + "/file", "absolute");
  EXPECT_TRUE(open_beneath(*root, "absolute").has_value());
  EXPECT_EQ(ErrorKind::kNotFound, base::open_root(scratch_ / "missing").error().kind);
  EXPECT_EQ(ErrorKind::kNotFound, base::open_root(top_ + "/file").error().kind);
}

// Somebody swaps a directory for a link to the outside, back and forth, all the time.
TEST_F(BeneathTest, NoRaceLeadsOutside) {
  link(scratch_.path(), "trap");
  ASSERT_TRUE(base::make_directories(top_ + "/way"));
  ASSERT_TRUE(base::write_file(top_ + "/way/secret", "inside"));
  std::atomic<bool> stop = false;
  std::thread swapper([&] {
    while (!stop) {
      renameat2(AT_FDCWD, (top_ + "/way").c_str(), AT_FDCWD, (top_ + "/trap").c_str(),
                RENAME_EXCHANGE);
    }
  });
  int inside = 0;
  int outside = 0;
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  for (int i = 0; i < 20'000 || inside == 0 || outside == 0; ++i) {
    if (std::chrono::steady_clock::now() > limit) break;
    const std::string seen = look("way/secret");
    if (seen == "inside") ++inside;
    if (seen == "outside") ++outside;
    // Between looking up and opening, the link may have come back.
    EXPECT_TRUE(seen == "inside" || seen == "outside" || seen == "not found") << seen;
  }
  stop = true;
  swapper.join();
  EXPECT_GT(inside, 0);
  EXPECT_GT(outside, 0);
}

}  // namespace
