#include "base/files.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <thread>

#include "base/scope.h"
#include "base/strings.h"
#include "base/worker.h"
#include "tests/base/loop_test.h"

namespace {

namespace fs = std::filesystem;
using base::concat;
using base::ErrorKind;
using base::Fd;
using base::Status;
using Names = std::vector<std::string>;

// Runs `body` in a process of its own, so that it may change what a process has but one of: the
// user, the mounts. Its result is the exit code; kSkip is for what the host does not allow.
constexpr int kSkip = 77;
int in_child(const std::function<int()>& body) {
  const pid_t pid = fork();
  if (pid == 0) _exit(body());
  int status = -1;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    char name[] = "/tmp/base_test.XXXXXX";
    if (mkdtemp(name) == nullptr) std::abort();  // no path here may start at the root
    directory_ = name;
  }
  ~FilesTest() override {
    const Status removed = base::remove_tree(directory_);
    EXPECT_TRUE(removed) << removed.error().message;
  }

  std::string path(std::string_view name) const { return concat(directory_, "/", name); }

  void make(std::string_view name, std::string_view content = "content") const {
    EXPECT_TRUE(base::make_directories(fs::path(path(name)).parent_path()));
    EXPECT_TRUE(base::write_file(path(name), content));
  }

  Names names(std::string_view name = "") const { return *base::list_directory(path(name)); }

  std::string directory_;
};

bool exists(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0;
}

mode_t mode_of(const std::string& path) {
  struct stat info{};
  lstat(path.c_str(), &info);
  return info.st_mode & 07777;
}

TEST_F(FilesTest, reads_and_writes) {
  for (size_t size : {0, 1, 16384, 16385, 1'000'000}) {
    const std::string content(size, 'x');
    ASSERT_TRUE(base::write_file(path("f"), content));
    EXPECT_TRUE(base::read_file(path("f")) == content);
  }
  ASSERT_TRUE(base::write_file(path("f"), std::string_view("a\0b", 3)));
  EXPECT_EQ(base::read_file(path("f"))->size(), 3u);
  EXPECT_FALSE(base::read_file("/proc/self/status")->empty());  // whose size is 0
}

TEST_F(FilesTest, says_what_failed) {
  auto missing = base::read_file(path("none"));
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(missing.error().message,
            concat("open '", path("none"), "': No such file or directory"));
  EXPECT_EQ(base::read_file(directory_).error().code, EISDIR);
  EXPECT_EQ(base::write_file(path("none/f"), "x").error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(base::write_file(directory_, "x").error().code, EISDIR);
  EXPECT_EQ(base::write_file("/dev/full", "x").error().code, ENOSPC);
  EXPECT_EQ(base::list_directory(path("none")).error().kind, ErrorKind::kNotFound);
  make("f");
  EXPECT_EQ(base::list_directory(path("f")).error().code, ENOTDIR);
}

TEST_F(FilesTest, gives_the_mode) {
  const mode_t mask = umask(022);
  ASSERT_TRUE(base::write_file(path("a"), "x"));
  ASSERT_TRUE(base::write_file(path("b"), "x", 0600));
  ASSERT_TRUE(base::write_file_atomic(path("c"), "x"));
  ASSERT_TRUE(base::write_file_atomic(path("c"), "y", base::Durability::kProcessCrash, 0600));
  ASSERT_TRUE(base::make_directories(path("d/e"), 0700));
  umask(mask);
  EXPECT_EQ(mode_of(path("a")), 0644u);
  EXPECT_EQ(mode_of(path("b")), 0600u);
  EXPECT_EQ(mode_of(path("c")), 0600u);
  EXPECT_EQ(mode_of(path("d")), 0700u);
  EXPECT_EQ(mode_of(path("d/e")), 0700u);
}

TEST_F(FilesTest, replaces_atomically) {
  for (auto durability : {base::Durability::kProcessCrash, base::Durability::kPowerLoss}) {
    ASSERT_TRUE(base::write_file_atomic(path("f"), "old", durability));
    Fd reader(open(path("f").c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_TRUE(base::write_file_atomic(path("f"), "new", durability));
    EXPECT_EQ(base::read_file(path("f")), "new");
    char buffer[10];
    EXPECT_EQ(::read(reader.get(), buffer, sizeof(buffer)), 3);
    EXPECT_EQ(std::string_view(buffer, 3), "old");
    EXPECT_EQ(names(), Names{"f"});
  }
}

TEST_F(FilesTest, replaces_so_that_readers_see_one_or_the_other) {
  const std::string a(100'000, 'a');
  const std::string b(50'000, 'b');
  ASSERT_TRUE(base::write_file_atomic(path("f"), a));
  std::atomic<bool> stop = false;
  int torn = 0;
  std::thread reader([&] {
    while (!stop) {
      const auto seen = base::read_file(path("f"));
      if (seen != a && seen != b) ++torn;
    }
  });
  for (int i = 0; i < 200; ++i) {
    EXPECT_TRUE(base::write_file_atomic(path("f"), i % 2 == 0 ? b : a));
  }
  stop = true;
  reader.join();
  EXPECT_EQ(torn, 0);
}

TEST_F(FilesTest, replaces_a_link_and_not_what_it_points_to) {
  make("target", "target");
  ASSERT_EQ(symlink("target", path("link").c_str()), 0);
  ASSERT_TRUE(base::write_file_atomic(path("link"), "new"));
  EXPECT_EQ(base::read_file(path("target")), "target");
  EXPECT_FALSE(fs::is_symlink(path("link")));
}

TEST_F(FilesTest, leaves_nothing_behind_when_it_cannot_replace) {
  auto missing = base::write_file_atomic(path("none/f"), "x");
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  ASSERT_TRUE(base::make_directories(path("d/full")));
  EXPECT_EQ(base::write_file_atomic(path("d"), "x").error().code, EISDIR);
  EXPECT_EQ(names(), Names{"d"});

  // No space: a file may not grow beyond the limit.
  make("f", "old");
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  rlimit little = before;
  little.rlim_cur = 1000;
  signal(SIGXFSZ, SIG_IGN);
  setrlimit(RLIMIT_FSIZE, &little);
  auto too_large = base::write_file_atomic(path("f"), std::string(5000, 'x'));
  setrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_DFL);
  EXPECT_EQ(too_large.error().code, EFBIG);
  EXPECT_EQ(base::read_file(path("f")), "old");
  EXPECT_EQ(names(), (Names{"d", "f"}));
}

TEST_F(FilesTest, replaces_although_a_crash_has_left_the_name_that_it_would_use) {
  ASSERT_TRUE(base::write_file_atomic(path("f"), "old"));
  // The counter in the name goes on from an unknown value: take the next thousand.
  for (int i = 0; i < 1000; ++i) make(concat("f.", getpid(), ".", i, ".tmp"), "left");
  EXPECT_TRUE(base::write_file_atomic(path("f"), "new"));
  EXPECT_EQ(base::read_file(path("f")), "new");
  EXPECT_EQ(names().size(), 1001u);
}

TEST_F(FilesTest, makes_directories) {
  EXPECT_TRUE(base::make_directories(path("a/b/c")));
  EXPECT_TRUE(base::make_directories(path("a/b/c")));
  EXPECT_TRUE(base::make_directories(path("a//d/")));
  EXPECT_TRUE(base::make_directories(path("x/y/")));
  EXPECT_TRUE(fs::is_directory(path("a/b/c")));
  EXPECT_TRUE(fs::is_directory(path("a/d")));
  EXPECT_TRUE(fs::is_directory(path("x/y")));
  EXPECT_TRUE(base::make_directories("/"));
  EXPECT_TRUE(base::make_directories("."));
  EXPECT_EQ(base::make_directories("").error().code, ENOENT);
  ASSERT_EQ(symlink("a", path("link").c_str()), 0);
  EXPECT_TRUE(base::make_directories(path("link/e")));
  EXPECT_TRUE(fs::is_directory(path("a/e")));
}

TEST_F(FilesTest, makes_no_directory_where_a_file_is) {
  make("f");
  EXPECT_EQ(base::make_directories(path("f")).error().code, ENOTDIR);
  EXPECT_EQ(base::make_directories(path("f/d")).error().code, ENOTDIR);
  ASSERT_EQ(symlink("nowhere", path("dangling").c_str()), 0);
  EXPECT_EQ(base::make_directories(path("dangling")).error().code, ENOTDIR);
  EXPECT_EQ(base::make_directories(path("dangling/d")).error().code, ENOTDIR);
  EXPECT_EQ(base::make_directories(path(std::string(300, 'x'))).error().code, ENAMETOOLONG);
}

TEST_F(FilesTest, lists_directories) {
  EXPECT_EQ(names(), Names());
  for (const char* name : {"b", ".hidden", "..odd", "a b", "A", "\xff\n"}) make(name);
  ASSERT_TRUE(base::make_directories(path("d/e")));
  EXPECT_EQ(names(), (Names{"..odd", ".hidden", "A", "a b", "b", "d", "\xff\n"}));
}

TEST_F(FilesTest, sees_what_exists) {
  EXPECT_TRUE(base::path_exists(directory_));
  EXPECT_FALSE(base::path_exists(path("f")));
  make("f");
  EXPECT_TRUE(base::path_exists(path("f")));
  ASSERT_EQ(symlink("nowhere", path("dangling").c_str()), 0);
  EXPECT_FALSE(base::path_exists(path("dangling")));
}

TEST(Paths, are_joined) {
  EXPECT_EQ(base::join_path("a", "b"), "a/b");
  EXPECT_EQ(base::join_path("a/", "/b"), "a/b");
  EXPECT_EQ(base::join_path("/", "b"), "/b");
  EXPECT_EQ(base::join_path("//", "b"), "/b");
  EXPECT_EQ(base::join_path("/a//", "b/"), "/a/b/");
  EXPECT_EQ(base::join_path("", "b"), "b");
  EXPECT_EQ(base::join_path("", "/b"), "/b");
  EXPECT_EQ(base::join_path("a", ""), "a");
  EXPECT_EQ(base::join_path("a", "/"), "a");
  EXPECT_EQ(base::join_path("/", ""), "/");
}

TEST_F(FilesTest, removes_a_tree) {
  make("t/a/b/c/f");
  make("t/a/f");
  make("t/.hidden/f");
  make(concat("t/", std::string(255, 'n')));
  make("t/\xff \n*");
  ASSERT_EQ(mkfifo(path("t/fifo").c_str(), 0600), 0);
  make("keep");
  EXPECT_TRUE(base::remove_tree(path("t")));
  EXPECT_EQ(names(), Names{"keep"});
  EXPECT_TRUE(base::remove_tree(path("t")));
  EXPECT_TRUE(base::remove_tree(path("none/t")));
}

TEST_F(FilesTest, removes_a_file_and_a_link) {
  make("target/f");
  make("f");
  ASSERT_EQ(symlink("target", path("link").c_str()), 0);
  ASSERT_EQ(symlink("nowhere", path("dangling").c_str()), 0);
  for (const char* name : {"f", "link", "dangling"}) EXPECT_TRUE(base::remove_tree(path(name)));
  EXPECT_EQ(names(), Names{"target"});
  EXPECT_EQ(names("target"), Names{"f"});
}

TEST_F(FilesTest, removes_by_any_spelling) {
  make("t/f");
  EXPECT_TRUE(base::remove_tree(path("t///")));
  EXPECT_EQ(names(), Names());
  make("t/f");
  EXPECT_TRUE(base::remove_tree(concat(directory_, "//t")));
  EXPECT_EQ(names(), Names());
}

TEST_F(FilesTest, does_not_remove_what_nobody_can_mean) {
  make("t/inner/f");
  // From inside the test's own directory, so that a broken remove_tree could delete nothing else.
  // For the same reason "/" is not tried.
  const int code = in_child([&] {
    if (chdir(path("t/inner").c_str()) != 0) return 1;
    for (const std::string& odd : {std::string("."), std::string(".."), path("t/inner/."),
                                   path("t/inner/.."), path("t/inner/../")}) {
      const auto removed = base::remove_tree(odd);
      if (removed || removed.error().kind != ErrorKind::kInvalid) return 2;
    }
    return base::remove_tree("").error().kind == ErrorKind::kInvalid ? 0 : 3;
  });
  EXPECT_EQ(code, 0);
  EXPECT_TRUE(exists(path("t/inner/f")));
}

TEST_F(FilesTest, follows_no_link_when_it_removes) {
  make("outside/f");
  make("t/f");
  ASSERT_EQ(symlink(path("outside").c_str(), path("t/absolute").c_str()), 0);
  ASSERT_EQ(symlink("../outside", path("t/relative").c_str()), 0);
  ASSERT_EQ(symlink("..", path("t/up").c_str()), 0);
  ASSERT_EQ(symlink("loop", path("t/loop").c_str()), 0);
  EXPECT_TRUE(base::remove_tree(path("t")));
  EXPECT_EQ(names(), Names{"outside"});
  EXPECT_EQ(names("outside"), Names{"f"});
}

TEST_F(FilesTest, is_not_led_astray_by_swapped_directories) {
  make("outside/precious");
  make("swap/f");  // what is exchanged for directories in the tree: a link outside
  for (int round = 0; round < 30; ++round) {
    for (int i = 0; i < 20; ++i) make(concat("t/d", i, "/sub/f"));
    std::atomic<bool> stop = false;
    std::thread swapper([&] {
      // Exchanges a directory with a link to outside, back and forth, as fast as can be.
      EXPECT_EQ(symlink(path("outside").c_str(), path("link").c_str()), 0);
      for (int i = 0; !stop; i = (i + 1) % 20) {
        for (int twice = 0; twice < 2; ++twice) {
          renameat2(AT_FDCWD, path("link").c_str(), AT_FDCWD, path(concat("t/d", i)).c_str(),
                    RENAME_EXCHANGE);
        }
      }
    });
    Status removed;
    do {
      removed = base::remove_tree(path("t"));
      // It may give up because of the changes, with an error that says so.
    } while (!removed && removed.error().kind == ErrorKind::kConflict);
    stop = true;
    swapper.join();
    EXPECT_TRUE(removed) << removed.error().message;
    EXPECT_TRUE(exists(path("outside/precious")));
    EXPECT_FALSE(exists(path("t")));
    EXPECT_TRUE(base::remove_tree(path("link")));
  }
}

// Makes a directory of so many levels below each other, without a path that is too long.
void make_deep(const std::string& top, int levels, bool bushy) {
  ASSERT_EQ(mkdir(top.c_str(), 0755), 0);
  Fd fd(open(top.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  for (int i = 0; i < levels; ++i) {
    if (bushy) {
      mkdirat(fd.get(), "empty", 0755);
      Fd file(openat(fd.get(), "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
      ASSERT_TRUE(file);
    }
    ASSERT_EQ(mkdirat(fd.get(), "d", 0755), 0);
    fd = Fd(openat(fd.get(), "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ASSERT_TRUE(fd);
  }
}

size_t count_open() { return base::list_directory("/proc/self/fd")->size(); }

TEST_F(FilesTest, removes_what_is_very_deep_with_few_descriptors) {
  make_deep(path("plain"), 2000, false);
  make_deep(path("bushy"), 2000, true);
  const size_t open_before = count_open();
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit little = before;
  little.rlim_cur = open_before + 60;
  setrlimit(RLIMIT_NOFILE, &little);
  const Status plain = base::remove_tree(path("plain"));
  const Status bushy = base::remove_tree(path("bushy"));
  setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_TRUE(plain) << plain.error().message;
  EXPECT_TRUE(bushy) << bushy.error().message;
  EXPECT_EQ(names(), Names());
  EXPECT_EQ(count_open(), open_before);
}

TEST_F(FilesTest, removes_deep_trees_of_any_shape) {
  // Around the depth at which directories begin to be moved, with names that are in the way.
  for (int levels : {46, 47, 48, 49, 50, 51, 97, 98, 99, 150}) {
    make_deep(path("t"), levels, true);
    for (int i = 0; i < 5; ++i) make(concat("t/lifted.", i, "/f"));
    make("t/lifted.5");
    make("t/lifted.6/lifted.0/f");
    EXPECT_TRUE(base::remove_tree(path("t")));
    EXPECT_EQ(names(), Names());
  }
}

TEST_F(FilesTest, removes_what_is_very_deep_with_the_stack_of_a_worker) {
  make_deep(path("t"), 3000, true);
  base::EventLoop loop;
  base::Scope scope;
  bool removed = false;
  auto body = [&]() -> base::Task<void> {
    auto status =
        co_await base::run_on_worker([where = path("t")] { return base::remove_tree(where); });
    removed = status.has_value();
    loop.stop();
  };
  scope.spawn(body());
  loop.run();
  EXPECT_TRUE(removed);
}

TEST_F(FilesTest, says_what_it_may_not_remove_and_removes_the_rest) {
  make("t/locked/f");
  make("t/open/f");
  make("t/zz");
  ASSERT_EQ(chmod(directory_.c_str(), 0777), 0);
  for (const char* name : {"t", "t/locked", "t/open"})
    ASSERT_EQ(chmod(path(name).c_str(), 0777), 0);
  ASSERT_EQ(chmod(path("t/locked").c_str(), 0555), 0);
  const int code = in_child([&] {
    if (getuid() == 0 && setuid(65534) != 0) return kSkip;
    const auto removed = base::remove_tree(path("t"));
    if (removed) return 1;
    if (removed.error().code != EACCES) return 2;
    if (!removed.error().message.starts_with("Failed to delete '")) return 3;
    return 0;
  });
  ASSERT_EQ(chmod(path("t/locked").c_str(), 0755), 0);
  if (code == kSkip) GTEST_SKIP();
  EXPECT_EQ(code, 0);
  EXPECT_EQ(names("t"), Names{"locked"});
  EXPECT_EQ(names("t/locked"), Names{"f"});
}

TEST_F(FilesTest, does_not_remove_what_is_mounted) {
  make("volume/precious");
  make("t/a/f");
  make("t/z");
  ASSERT_TRUE(base::make_directories(path("t/bind")));
  ASSERT_TRUE(base::make_directories(path("t/mnt/deep")));
  const int code = in_child([&] {
    // In a mount namespace of its own, and a user namespace so that it needs no root.
    const int flags = CLONE_NEWNS | (getuid() == 0 ? 0 : CLONE_NEWUSER);
    if (unshare(flags) != 0) return kSkip;
    if (mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return kSkip;
    // Of the same file system, so only the mount tells them apart; and of another.
    if (mount(path("volume").c_str(), path("t/bind").c_str(), nullptr, MS_BIND, nullptr) != 0) {
      return kSkip;
    }
    if (mount("none", path("t/mnt/deep").c_str(), "tmpfs", 0, nullptr) != 0) return kSkip;
    if (!base::write_file(path("t/mnt/deep/precious"), "x")) return kSkip;
    const auto removed = base::remove_tree(path("t"));
    if (removed) return 1;
    if (removed.error().kind != ErrorKind::kConflict) return 2;
    if (!exists(path("volume/precious"))) return 3;
    if (!exists(path("t/mnt/deep/precious"))) return 4;
    if (exists(path("t/a")) || exists(path("t/z"))) return 5;
    // As the top of the tree.
    if (base::remove_tree(path("t/bind"))) return 6;
    if (!exists(path("volume/precious"))) return 7;
    return 0;
  });
  if (code == kSkip) GTEST_SKIP();
  EXPECT_EQ(code, 0);
}

TEST_F(FilesTest, gives_up_on_a_directory_that_others_keep_filling) {
  ASSERT_TRUE(base::make_directories(path("t")));
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      Fd fd(open(path(concat("t/", i)).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    }
  });
  const Status removed = base::remove_tree(path("t"));
  stop = true;
  writer.join();
  if (!removed) EXPECT_EQ(removed.error().kind, ErrorKind::kConflict) << removed.error().message;
}

}  // namespace
