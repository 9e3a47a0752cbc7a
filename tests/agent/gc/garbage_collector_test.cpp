#include "agent/gc/garbage_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <mutex>
#include <semaphore>

#include "base/strings.h"
#include "tests/base/scratch_loop_test.h"

namespace {

namespace fs = std::filesystem;
using agent::GarbageCollector;
using testing::ElementsAre;
using Age = GarbageCollector::Age;
using namespace std::chrono_literals;

// Directories of real age: their times are set, and the collector's delay is hours.
class Collector : public tests::ScratchLoopTest {
 protected:
  Collector() {
    options_.work_dir = scratch_.path();
    options_.delay = 10h;
    options_.disk_headroom = 0.1;
    options_.disk_watch_interval = 10h;
    options_.disk_usage = [this](const std::string&) -> base::Result<double> { return usage_; };
  }

  void start() {
    collector_ = std::make_unique<GarbageCollector>(options_);
    collector_->start();
  }

  // A directory that has had its last change so long ago.
  std::string make(const std::string& name, std::chrono::nanoseconds age = {}) {
    std::string path = scratch_ / ("containers/" + name);
    fs::create_directories(path);
    fs::last_write_time(path, fs::file_time_type::clock::now() -
                                  std::chrono::duration_cast<fs::file_time_type::duration>(age));
    return path;
  }

  void await_gone(const std::string& path) {
    await([&] { return !fs::exists(path); });
  }

  // Nothing that is due now is left to do.
  void await_done() {
    const std::string last = make("last", 11h);
    const uint64_t before = collector_->succeeded() + collector_->failed();
    collector_->schedule(last, Age::kAsOnDisk);
    await([&] { return collector_->succeeded() + collector_->failed() > before; });
    settle();
  }

  GarbageCollector::Options options_;
  double usage_ = 0;
  std::unique_ptr<GarbageCollector> collector_;
};

TEST_F(Collector, DeletesWhatIsOld) {
  start();
  const std::string old = make("old", 11h);
  const std::string young = make("young", 9h);
  collector_->schedule(young, Age::kAsOnDisk);
  collector_->schedule(old, Age::kAsOnDisk);
  EXPECT_EQ(2, collector_->pending());
  await_gone(old);
  await_done();
  EXPECT_TRUE(fs::exists(young));
  EXPECT_EQ(1, collector_->pending());
  EXPECT_EQ(2, collector_->succeeded());
  EXPECT_EQ(0, collector_->failed());
}

// The link of a run that begins while an older one is being deleted, which had been the latest.
TEST_F(Collector, ARunThatBeginsMeanwhileKeepsItsLink) {
  const std::string runs = scratch_ / "slaves/S0/frameworks/f/executors/e/runs";
  fs::create_directories(runs + "/old");
  fs::create_directories(runs + "/new");
  fs::create_symlink(runs + "/old", runs + "/latest");
  bool was_there = true;
  options_.remove = [&](const auto& work_dir, const auto& path, const auto& stop) {
    was_there = fs::is_symlink(fs::symlink_status(runs + "/latest"));
    fs::create_symlink(runs + "/new", runs + "/latest");
    return agent::remove_garbage(work_dir, path, stop);
  };
  options_.delay = 1ms;
  start();
  collector_->schedule(runs + "/old", Age::kFromNow);
  await([this] { return collector_->succeeded() == 1; });
  EXPECT_FALSE(was_there) << "it is not for a worker to decide on";
  EXPECT_EQ(runs + "/new", fs::read_symlink(runs + "/latest"));
  EXPECT_FALSE(fs::exists(runs + "/old"));
}

TEST_F(Collector, WaitsUntilItsTimeHasCome) {
  start();
  const std::string path = make("soon", 10h - 300ms);
  collector_->schedule(path, Age::kAsOnDisk);
  await_done();
  EXPECT_TRUE(fs::exists(path));
  await_gone(path);
}

TEST_F(Collector, WhatEndsNowIsYoung) {
  start();
  const std::string path = make("long-running", 20h);
  collector_->schedule(path, Age::kFromNow);
  await_done();
  EXPECT_TRUE(fs::exists(path));
  // A restart finds it as young as it is.
  EXPECT_LT(fs::file_time_type::clock::now() - fs::last_write_time(path), 1h);
}

// A clock that was wrong then does not keep it for ever.
TEST_F(Collector, IsNeverKeptLongerThanTheDelay) {
  options_.delay = 200ms;
  start();
  const std::string path = make("future", -1000h);
  collector_->schedule(path, Age::kAsOnDisk);
  await_gone(path);
}

TEST_F(Collector, MissingOnesDoNotWait) {
  start();
  collector_->schedule(scratch_ / "containers/none", Age::kAsOnDisk);
  collector_->schedule(scratch_ / "containers/none", Age::kFromNow);
  EXPECT_EQ(0, collector_->pending());
  const std::string path = make("gone", 11h);
  collector_->schedule(path, Age::kAsOnDisk);
  fs::remove(path);
  await_done();
  EXPECT_EQ(0, collector_->failed());
}

TEST_F(Collector, RefusesOtherPaths) {
  start();
  const std::string path = scratch_ / "volumes";
  fs::create_directory(path);
  fs::last_write_time(path, fs::file_time_type::clock::now() - 20h);
  collector_->schedule(path, Age::kAsOnDisk);
  EXPECT_EQ(0, collector_->pending());
  await_done();
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(Collector, SchedulingAgainReplaces) {
  start();
  const std::string path = make("c", 5h);
  collector_->schedule(path, Age::kAsOnDisk);
  collector_->schedule(path, Age::kAsOnDisk);
  EXPECT_EQ(1, collector_->pending());
  collector_->schedule(path, Age::kFromNow);
  collector_->prune(6h);
  await_done();
  EXPECT_TRUE(fs::exists(path));
}

TEST_F(Collector, UnscheduledOnesStay) {
  start();
  const std::string path = make("c", 10h - 100ms);
  collector_->schedule(path, Age::kAsOnDisk);
  EXPECT_TRUE(collector_->unschedule(path));
  EXPECT_FALSE(collector_->unschedule(path));
  collector_->prune(20h);
  run(base::sleep_task(200ms));
  await_done();
  EXPECT_TRUE(fs::exists(path));
  EXPECT_EQ(0, collector_->pending());
}

TEST_F(Collector, WhatRunsIsNeverDeleted) {
  const std::string path = make("c", 11h);
  options_.in_use = [path](const std::string& asked) { return asked == path; };
  start();
  collector_->schedule(path, Age::kAsOnDisk);
  await_done();
  EXPECT_TRUE(fs::exists(path));
  EXPECT_EQ(1, collector_->pending()) << "it is asked for again, later";
}

// --- Prune, and the disk ---

TEST_F(Collector, PrunesByTheTimeThatRemains) {
  start();
  const std::string eight = make("eight", 8h);
  const std::string four = make("four", 4h);
  collector_->schedule(four, Age::kAsOnDisk);
  collector_->schedule(eight, Age::kAsOnDisk);
  collector_->prune(3h);
  await_gone(eight);
  await_done();
  EXPECT_TRUE(fs::exists(four));
  collector_->prune(7h);
  await_gone(four);
}

TEST_F(Collector, TheFullerTheDiskTheYounger) {
  start();
  EXPECT_EQ(9h, collector_->max_allowed_age(0));
  EXPECT_EQ(4h, std::chrono::round<std::chrono::seconds>(collector_->max_allowed_age(0.5)));
  EXPECT_EQ(0s, std::chrono::round<std::chrono::seconds>(collector_->max_allowed_age(0.9)));
  EXPECT_EQ(0ns, collector_->max_allowed_age(0.95));
  EXPECT_EQ(0ns, collector_->max_allowed_age(1));
}

TEST_F(Collector, WatchesTheDisk) {
  options_.disk_watch_interval = 20ms;
  std::vector<std::string> asked;
  options_.disk_usage = [&](const std::string& work_dir) -> base::Result<double> {
    asked.push_back(work_dir);
    if (asked.size() == 2) return base::fail("it cannot be told");
    return usage_;
  };
  usage_ = 0.5;
  start();
  const std::string six = make("six", 6h);
  const std::string two = make("two", 2h);
  collector_->schedule(six, Age::kAsOnDisk);
  collector_->schedule(two, Age::kAsOnDisk);
  await_gone(six);
  await([&] { return asked.size() > 3; });
  EXPECT_EQ(scratch_.path(), asked.front());
  EXPECT_TRUE(fs::exists(two));
  const std::string now = make("now");
  collector_->schedule(now, Age::kFromNow);
  usage_ = 0.9;
  await_gone(now);
  await_gone(two);
}

TEST_F(Collector, KnowsHowFullTheDiskIs) {
  const auto usage = agent::read_disk_usage(scratch_.path());
  ASSERT_TRUE(usage.has_value());
  const auto space = fs::space(scratch_.path());
  EXPECT_NEAR(1 - static_cast<double>(space.available) / static_cast<double>(space.capacity),
              *usage, 0.05);
  EXPECT_FALSE(agent::read_disk_usage(scratch_ / "none").has_value());
}

// --- While one is being deleted ---

// The test says when a deletion ends, and how.
class Removals {
 public:
  base::Status remove(const std::string& path, const std::stop_token& stop) {
    {
      const std::lock_guard lock(mutex_);
      begun_.push_back(path);
      most_ = std::max(most_, ++now_);
    }
    while (!go_.try_acquire_for(1ms)) {
      if (stop.stop_requested()) return base::fail("stopped");
    }
    const std::lock_guard lock(mutex_);
    --now_;
    if (failing_) return base::fail("it cannot be deleted");
    return {};
  }

  std::vector<std::string> begun() {
    const std::lock_guard lock(mutex_);
    return begun_;
  }
  int most() {
    const std::lock_guard lock(mutex_);
    return most_;
  }
  void fail(bool failing) {
    const std::lock_guard lock(mutex_);
    failing_ = failing;
  }
  void finish(int count = 1) { go_.release(count); }

 private:
  std::mutex mutex_;
  std::counting_semaphore<> go_{0};
  std::vector<std::string> begun_;
  int now_ = 0;
  int most_ = 0;
  bool failing_ = false;
};

class SlowCollector : public Collector {
 protected:
  SlowCollector() {
    options_.remove = [removals = removals_](const std::string&, const std::string& path,
                                             const std::stop_token& stop) {
      return removals->remove(path, stop);
    };
  }

  void begin(const std::string& path) {
    collector_->schedule(path, Age::kAsOnDisk);
    const size_t before = removals_->begun().size();
    await([&] { return removals_->begun().size() > before; });
  }

  base::Task<void> note(std::string path) {
    const auto reclaimed = co_await collector_->reclaim(path);
    log_.push_back(!reclaimed ? "error" : *reclaimed ? "kept" : "deleted");
  }

  tests::Log log_;
  const std::shared_ptr<Removals> removals_ = std::make_shared<Removals>();
  base::Scope scope_;
};

TEST_F(SlowCollector, OneAtATimeTheOldestFirst) {
  start();
  const std::string a = make("a", 13h);
  const std::string b = make("b", 12h);
  const std::string c = make("c", 11h);
  for (const auto& path : {c, b, a}) collector_->schedule(path, Age::kAsOnDisk);
  removals_->finish(3);
  await([&] { return collector_->succeeded() == 3; });
  EXPECT_EQ(1, removals_->most());
  EXPECT_EQ(3, removals_->begun().size());
}

TEST_F(SlowCollector, TheLoopGoesOn) {
  start();
  begin(make("huge", 11h));
  settle();  // ends, though the deletion does not
  EXPECT_EQ(0, collector_->succeeded());
  removals_->finish();
  await([&] { return collector_->succeeded() == 1; });
}

TEST_F(SlowCollector, ReclaimWaitsForTheDeletion) {
  start();
  const std::string path = make("c", 11h);
  begin(path);
  scope_.spawn(note(path));
  scope_.spawn(note(path + "/containers/child"));
  settle();
  EXPECT_THAT(log_, ElementsAre());
  scope_.spawn(note(make("other", 1h)));
  scope_.spawn(note(path + "2"));
  EXPECT_THAT(log_, ElementsAre("kept", "kept")) << "those that it does not concern need not wait";
  removals_->finish();
  run(scope_.join());
  EXPECT_THAT(log_, ElementsAre("kept", "kept", "deleted", "deleted"));
}

// Its runs are being deleted, not the executor's directory.
TEST_F(SlowCollector, ReclaimDoesNotWaitForWhatIsBelow) {
  start();
  begin(make("c/containers/child", 11h));
  scope_.spawn(note(scratch_ / "containers/c"));
  EXPECT_THAT(log_, ElementsAre("kept"));
  removals_->finish();
  await([&] { return collector_->succeeded() == 1; });
}

TEST_F(SlowCollector, ReclaimGivesUp) {
  options_.patience = 20ms;
  start();
  const std::string path = make("c", 11h);
  begin(path);
  const auto reclaimed = run(collector_->reclaim(path));
  ASSERT_FALSE(reclaimed.has_value());
  EXPECT_EQ(base::ErrorKind::kTimeout, reclaimed.error().kind);
  removals_->finish();
  await([&] { return collector_->succeeded() == 1; });
}

TEST_F(SlowCollector, WhatCannotBeDeletedIsTriedAgain) {
  start();
  removals_->fail(true);
  const std::string path = make("c", 11h);
  begin(path);
  removals_->finish();
  await([&] { return collector_->failed() == 1; });
  EXPECT_EQ(1, collector_->pending());
  EXPECT_EQ(0, collector_->succeeded());
  settle();
  EXPECT_EQ(1, removals_->begun().size()) << "but not at once";
  removals_->fail(false);
  removals_->finish();
  collector_->prune(20h);
  await([&] { return collector_->succeeded() == 1; });
  EXPECT_EQ(0, collector_->pending());
}

TEST_F(SlowCollector, WhatCannotBeDeletedCanBeReclaimed) {
  start();
  removals_->fail(true);
  const std::string path = make("c", 11h);
  begin(path);
  scope_.spawn(note(path));
  removals_->finish();
  run(scope_.join());
  EXPECT_THAT(log_, ElementsAre("deleted"));
  EXPECT_EQ(0, collector_->pending());
}

TEST_F(SlowCollector, WhatIsBelowNeedNotBeDeletedAnyMore) {
  start();
  const std::string path = make("c", 11h);
  collector_->schedule(make("c/containers/child", 1h), Age::kAsOnDisk);
  collector_->schedule(make("c2", 1h), Age::kAsOnDisk);
  fs::last_write_time(path, fs::file_time_type::clock::now() - 11h);
  begin(path);
  EXPECT_EQ(3, collector_->pending());
  removals_->finish();
  await([&] { return collector_->succeeded() == 1; });
  EXPECT_EQ(1, collector_->pending());
}

TEST_F(SlowCollector, ForgetsWhatOthersHaveDeleted) {
  start();
  const std::string path = make("c", 1h);
  collector_->schedule(path, Age::kAsOnDisk);
  collector_->schedule(make("c/containers/child", 1h), Age::kAsOnDisk);
  collector_->schedule(make("c2", 1h), Age::kAsOnDisk);
  collector_->forget(path);
  EXPECT_EQ(1, collector_->pending());
}

// The end of the agent does not wait for a deletion that takes long.
TEST_F(SlowCollector, ItsEndStopsADeletion) {
  start();
  begin(make("huge", 11h));
  collector_.reset();
  // The loop's end joins the worker: this test ends only if the deletion does.
}

}  // namespace
