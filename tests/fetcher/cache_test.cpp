#include "fetcher/cache.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/scope.h"
#include "tests/base/scratch_loop_test.h"

namespace fetcher {
namespace {

namespace fs = std::filesystem;
using base::Bytes;
using Action = Cache::Use::Action;

class CacheTest : public tests::ScratchLoopTest {
 protected:
  CacheTest() { make(10); }

  void make(uint64_t capacity) {
    cache_.reset();
    cache_ = std::make_unique<Cache>(scratch_ / "cache", Bytes(capacity));
    cache_->recover();
  }

  Cache::Use use(const std::string& uri) { return run(cache_->use(std::nullopt, uri)); }

  std::string path(const Cache::Use& use) {
    return base::join_path(cache_->directory_of({}), use.file());
  }

  // Downloads a file of that size, as a container does, and whether it was told to.
  bool download(const std::string& uri, uint64_t size) {
    Cache::Use used = use(uri);
    if (used.action() != Action::kDownload) return false;
    used.reserve(Bytes(size));
    if (used.action() != Action::kDownload) return false;
    EXPECT_TRUE(base::write_file(path(used), std::string(size, 'x')));
    used.finish();
    return true;
  }

  bool has(const std::string& uri) { return use(uri).action() == Action::kRetrieve; }

  std::unique_ptr<Cache> cache_;
};

TEST_F(CacheTest, OnceDownloadedItIsThere) {
  EXPECT_TRUE(download("/a", 4));
  EXPECT_FALSE(download("/a", 4));
  EXPECT_TRUE(has("/a"));
  EXPECT_EQ(Bytes(4), cache_->used());
}

TEST_F(CacheTest, WhatWasUsedLongestAgoGivesWay) {
  EXPECT_TRUE(download("/a", 4));
  EXPECT_TRUE(download("/b", 4));
  EXPECT_TRUE(has("/a"));
  EXPECT_TRUE(download("/c", 4));
  EXPECT_EQ(Bytes(8), cache_->used());
  EXPECT_TRUE(has("/a"));
  EXPECT_TRUE(has("/c"));
  EXPECT_FALSE(has("/b"));
}

TEST_F(CacheTest, WhatIsInUseStays) {
  EXPECT_TRUE(download("/a", 6));
  const Cache::Use used = use("/a");
  EXPECT_FALSE(download("/b", 6));
  EXPECT_TRUE(download("/c", 4));
  EXPECT_TRUE(has("/a"));
}

TEST_F(CacheTest, TooLargeOrOfUnknownSizeBypasses) {
  EXPECT_FALSE(download("/a", 11));
  Cache::Use unknown = use("/b");
  unknown.reserve(std::nullopt);
  EXPECT_EQ(Action::kBypass, unknown.action());
  EXPECT_EQ(Bytes(0), cache_->used());
}

TEST_F(CacheTest, WhatIsNotFinishedIsDropped) {
  {
    Cache::Use used = use("/a");
    used.reserve(Bytes(4));
    EXPECT_TRUE(base::write_file(path(used), "part"));
  }
  EXPECT_EQ(Bytes(0), cache_->used());
  EXPECT_TRUE(fs::is_empty(cache_->directory_of({})));
  EXPECT_TRUE(download("/a", 4));
}

TEST_F(CacheTest, LargerThanAnnouncedIsDroppedAndSmallerCounted) {
  const auto download_with = [this](const std::string& uri, const std::string& content) {
    Cache::Use used = use(uri);
    used.reserve(Bytes(4));
    EXPECT_TRUE(base::write_file(path(used), content));
    used.finish();
  };
  download_with("/larger", "12345");
  EXPECT_FALSE(has("/larger"));
  download_with("/smaller", "1");
  EXPECT_TRUE(has("/smaller"));
  EXPECT_EQ(Bytes(1), cache_->used());
}

TEST_F(CacheTest, AVanishedFileIsDownloadedAgain) {
  EXPECT_TRUE(download("/a", 4));
  fs::remove(path(use("/a")));
  EXPECT_TRUE(download("/a", 5));
  EXPECT_EQ(Bytes(5), cache_->used());
}

TEST_F(CacheTest, OthersWaitForTheFirst) {
  auto first = std::make_optional(use("/a"));
  first->reserve(Bytes(4));
  std::vector<Action> second;
  base::Scope scope;
  scope.spawn([](Cache& cache, std::vector<Action>& seen) -> base::Task<void> {
    const Cache::Use used = co_await cache.use(std::nullopt, "/a");
    seen.push_back(used.action());
  }(*cache_, second));
  EXPECT_TRUE(second.empty());
  EXPECT_TRUE(base::write_file(path(*first), "1234"));
  first->finish();
  first.reset();
  settle();
  EXPECT_EQ(std::vector<Action>{Action::kRetrieve}, second);
}

TEST_F(CacheTest, WithoutADirectoryEverythingBypasses) {
  cache_ = std::make_unique<Cache>("", Bytes(10));
  EXPECT_EQ(Action::kBypass, use("/a").action());
}

TEST_F(CacheTest, ADirectoryThatOthersCanWriteIsNotUsed) {
  fs::create_directory(scratch_ / "cache");
  ASSERT_EQ(0, chmod((scratch_ / "cache").c_str(), 0777));
  EXPECT_EQ(Action::kBypass, use("/a").action());
}

TEST_F(CacheTest, ADirectoryThatOthersCanReplaceIsNotUsed) {
  fs::create_directories(scratch_ / "between/cache");
  for (const mode_t mode : {0777, 0775, 01777, 0755}) {
    ASSERT_EQ(0, chmod((scratch_ / "between").c_str(), mode));
    Cache cache(scratch_ / "between/cache", Bytes(10));
    const bool used = run(cache.use(std::nullopt, "/a")).action() == Action::kDownload;
    EXPECT_EQ(mode == 01777 || mode == 0755, used) << mode;
  }
}

TEST_F(CacheTest, TwoAgentsDoNotShareADirectory) {
  EXPECT_TRUE(download("/a", 4));
  Cache other(scratch_ / "cache", Bytes(10));
  other.recover();
  EXPECT_EQ(Action::kBypass, run(other.use(std::nullopt, "/a")).action());
  EXPECT_TRUE(has("/a"));
}

TEST_F(CacheTest, OnlyItsOwnFilesAreDeletedAtTheStart) {
  fs::create_directories(scratch_ / "cache/user");
  fs::create_directories(scratch_ / "outside");
  fs::create_directory_symlink(scratch_ / "outside", scratch_ / "cache/link");
  for (const char* file : {"cache/c1-a", "cache/user/.c2-a.part", "cache/user/cat-a",
                           "cache/user/c3-b", "cache/user/keep", "outside/c4-c"}) {
    ASSERT_TRUE(base::write_file(scratch_ / file, "x"));
  }
  make(10);
  using Names = std::vector<std::string>;
  EXPECT_EQ((Names{"c1-a", "link", "user"}), base::list_directory(scratch_ / "cache"));
  EXPECT_EQ((Names{"cat-a", "keep"}), base::list_directory(scratch_ / "cache/user"));
  EXPECT_EQ((Names{"c4-c"}), base::list_directory(scratch_ / "outside"));
}

TEST(CacheFileName, LongNamesAreShortened) {
  EXPECT_EQ("c1-a.tgz", cache_file_name(1, "a.tgz"));
  EXPECT_EQ("c2-01234567890123456789", cache_file_name(2, "01234567890123456789"));
  EXPECT_EQ("c3-0123456789_123456.tgz", cache_file_name(3, "0123456789abc123456.tgz"));
}

TEST(CacheKey, IsByUser) {
  EXPECT_EQ("me@/a", Cache::key(User{"me"}, "/a"));
  EXPECT_EQ("/a", Cache::key(std::nullopt, "/a"));
}

TEST_F(CacheTest, NobodyElseCanReadIt) {
  EXPECT_TRUE(download("/a", 4));
  EXPECT_EQ(fs::perms::owner_all, fs::status(cache_->directory_of({})).permissions());
}

TEST_F(CacheTest, AUserIsADirectoryHereAndNowhereElse) {
  for (const char* name : {"..", "../x", "a/b", "/x", ""}) {
    const User user{name, geteuid(), getegid()};
    EXPECT_EQ(Action::kBypass, run(cache_->use(user, "/a")).action()) << name;
  }
  const User me{"me", geteuid(), getegid()};
  EXPECT_EQ(Action::kDownload, run(cache_->use(me, "/a")).action());
  EXPECT_TRUE(fs::is_directory(scratch_ / "cache/me"));
}

}  // namespace
}  // namespace fetcher
