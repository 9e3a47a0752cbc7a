#include "isolators/cgroups/memory.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <limits>
#include <optional>
#include <string>

#include "tests/base/loop_test.h"
#include "tests/isolators/cgroup_fixture.h"
#include "tests/isolators/config.h"

namespace {

using isolators::ContainerConfig;
using isolators::ContainerId;
using isolators::MemorySubsystem;
using mesos::v1::ResourceStatistics;
using tests::add_scalar;
using tests::CgroupFixture;
using tests::kInfinite;
using tests::read_usage;
using tests::set_limit;

constexpr char kGroup[] = "a";
constexpr char kSoft[] = "memory.soft_limit_in_bytes";
constexpr char kHard[] = "memory.limit_in_bytes";
constexpr char kSwap[] = "memory.memsw.limit_in_bytes";

ContainerConfig make_config(double mem, std::optional<double> limit) {
  ContainerConfig config;
  add_scalar(&config, "mem", mem);
  if (limit) set_limit(&config, "mem", *limit);
  return config;
}

TEST(Memory, SoftAndHardLimit) {
  const struct {
    double mem;
    std::optional<double> limit;
    std::string soft;
    std::string hard;
  } kCases[] = {
      {64, {}, "67108864", "67108864"},
      {64.5, {}, "67633152", "67633152"},
      // At least 32 MB, whatever is asked for.
      {32, {}, "33554432", "33554432"},
      {31.9, {}, "33554432", "33554432"},
      {0, {}, "33554432", "33554432"},
      // A limit is in whole megabytes.
      {64, 128.0, "67108864", "134217728"},
      {64, 128.9, "67108864", "134217728"},
      {64, 1.0, "67108864", "33554432"},
      {64, -1.0, "67108864", "33554432"},
      {64, std::numeric_limits<double>::quiet_NaN(), "67108864", "33554432"},
      {64, kInfinite, "67108864", "-1"},
      // What no host has is no limit.
      {1e300, {}, "-1", "-1"},
      {64, 1e300, "67108864", "-1"},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.mem);
    for (const bool limit_swap : {false, true}) {
      const CgroupFixture fixture("memory");
      fixture.make_group(kGroup, {kSoft, kHard, kSwap});
      MemorySubsystem memory(fixture.open(), limit_swap);
      const auto updated = memory.update(kGroup, make_config(test.mem, test.limit));
      ASSERT_TRUE(updated) << updated.error().message;
      EXPECT_EQ(test.soft, fixture.get(kGroup, kSoft));
      EXPECT_EQ(test.hard, fixture.get(kGroup, kHard));
      EXPECT_EQ(limit_swap ? test.hard : "", fixture.get(kGroup, kSwap));
    }
  }
}

TEST(Memory, MemoryMustBeGiven) {
  const CgroupFixture fixture("memory");
  fixture.make_group(kGroup, {kSoft, kHard, kSwap});
  MemorySubsystem memory(fixture.open(), false);
  ContainerConfig config;
  add_scalar(&config, "cpus", 1);
  set_limit(&config, "mem", 64);
  auto updated = memory.update(kGroup, config);
  ASSERT_FALSE(updated.has_value());
  EXPECT_EQ("No memory resource given", updated.error().message);
  EXPECT_EQ(base::ErrorKind::kInvalid, updated.error().kind);
  EXPECT_EQ("", fixture.get(kGroup, kSoft));
}

// A process of ours, to be given a score.
class Sleeper {
 public:
  Sleeper() : pid_(fork()) {
    if (pid_ == 0) {
      while (true) pause();
    }
  }
  ~Sleeper() {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }
  std::string score() const {
    return base::read_file(base::concat("/proc/", pid_, "/oom_score_adj")).value();
  }

 private:
  const pid_t pid_;
};

// Raising the score needs no privilege, and the scores here are as high as they can get.
TEST(Memory, WhoMayUseMoreThanItAskedForIsKilledFirst) {
  const ContainerId root = ContainerId::root_of("a");
  const struct {
    const char* what;
    ContainerId id;
    std::optional<double> limit;
    bool is_set;
  } kCases[] = {
      {"nested, limit above the request", root.child("b"), 64.0, true},
      {"nested, no limit at all", root.child("b"), kInfinite, true},
      {"nested, limit is the request", root.child("b"), {}, false},
      {"nested, limit below the request", root.child("b"), 1.0, false},
      {"root", root, kInfinite, false},
  };
  const CgroupFixture fixture("memory");
  MemorySubsystem memory(fixture.open(), false);
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.what);
    const Sleeper sleeper;
    const std::string before = sleeper.score();
    ASSERT_TRUE(memory.isolate(test.id, make_config(32, test.limit), sleeper.pid()));
    if (!test.is_set) {
      EXPECT_EQ(before, sleeper.score());
      continue;
    }
    const auto total = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                       static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
    EXPECT_EQ(base::concat(1000 - 1000 * (uint64_t{32} << 20) / total, "\n"), sleeper.score());
  }
}

TEST(Memory, Statistics) {
  const CgroupFixture fixture("memory");
  fixture.make_group(kGroup);
  fixture.set(kGroup, "memory.usage_in_bytes", "1000\n");
  fixture.set(kGroup, "memory.memsw.usage_in_bytes", "1001\n");
  fixture.set(kGroup, "memory.kmem.usage_in_bytes", "1002\n");
  fixture.set(kGroup, "memory.kmem.tcp.usage_in_bytes", "0\n");
  fixture.set(kGroup, "memory.stat",
              "cache 1\nrss 2\nmapped_file 3\nswap 4\nunevictable 5\nhierarchical_memory_limit 6\n"
              "total_cache 11\ntotal_rss 12\ntotal_mapped_file 13\ntotal_swap 14\n"
              "total_unevictable 15\ntotal_rss_huge 16\n");
  ResourceStatistics statistics;
  read_usage(MemorySubsystem(fixture.open(), false), kGroup, &statistics);
  EXPECT_EQ(1000U, statistics.mem_total_bytes());
  EXPECT_EQ(1001U, statistics.mem_total_memsw_bytes());
  EXPECT_EQ(1002U, statistics.mem_kmem_usage_bytes());
  EXPECT_TRUE(statistics.has_mem_kmem_tcp_usage_bytes());
  EXPECT_EQ(0U, statistics.mem_kmem_tcp_usage_bytes());
  EXPECT_EQ(11U, statistics.mem_file_bytes());
  EXPECT_EQ(11U, statistics.mem_cache_bytes());
  EXPECT_EQ(12U, statistics.mem_anon_bytes());
  EXPECT_EQ(12U, statistics.mem_rss_bytes());
  EXPECT_EQ(13U, statistics.mem_mapped_file_bytes());
  EXPECT_EQ(14U, statistics.mem_swap_bytes());
  EXPECT_EQ(15U, statistics.mem_unevictable_bytes());
}

// A kernel without swap or kmem accounting has not all of the files.
TEST(Memory, StatisticsThatCannotBeReadAreLeftOut) {
  const CgroupFixture fixture("memory");
  MemorySubsystem memory(fixture.open(), false);
  ResourceStatistics statistics;
  read_usage(memory, "gone", &statistics);
  fixture.make_group(kGroup);
  fixture.set(kGroup, "memory.usage_in_bytes", "no number\n");
  fixture.set(kGroup, "memory.stat", "total_cache\ntotal_rss -1\n\ntotal_swap 1x\n");
  read_usage(memory, kGroup, &statistics);
  EXPECT_EQ(0U, statistics.ByteSizeLong());
}

TEST(Memory, OomControlTellsOfKills) {
  const struct {
    const char* content;
    bool killed;
  } kCases[] = {
      {"oom_kill_disable 0\nunder_oom 0\noom_kill 1\n", true},
      {"oom_kill_disable 0\nunder_oom 0\noom_kill 12", true},
      {"oom_kill_disable 0\nunder_oom 1\noom_kill 0\n", false},
      // Linux before 4.13 does not count.
      {"oom_kill_disable 1\nunder_oom 1\n", false},
      {"oom_kill x\n", false},
      {"", false},
  };
  for (const auto& test : kCases) {
    const CgroupFixture fixture("memory");
    fixture.make_group(kGroup);
    fixture.set(kGroup, "memory.oom_control", test.content);
    fixture.set(kGroup, kHard, "33554432\n");
    fixture.set(kGroup, "memory.max_usage_in_bytes", "33030144\n");
    fixture.set(kGroup, "memory.stat", "cache 1\nrss 2\n");
    const auto limitation = MemorySubsystem(fixture.open(), false).limitation_at_end(kGroup);
    ASSERT_EQ(test.killed, limitation.has_value()) << test.content;
    if (!limitation) continue;
    EXPECT_EQ(mesos::v1::TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY, limitation->reason);
    EXPECT_EQ(
        "Memory limit exceeded: Requested: 32MB Maximum Used: 31MB\n\n"
        "MEMORY STATISTICS: \ncache 1\nrss 2\n",
        limitation->message);
    ASSERT_EQ(1U, limitation->resources.size());
    EXPECT_EQ("mem", limitation->resources[0].name());
    EXPECT_EQ(31.5, limitation->resources[0].scalar().value());
  }
}

TEST(Memory, NoOomInAGroupThatIsGone) {
  const CgroupFixture fixture("memory");
  EXPECT_FALSE(MemorySubsystem(fixture.open(), false).limitation_at_end("gone").has_value());
  // Nor is there anything to watch.
  EXPECT_FALSE(MemorySubsystem(fixture.open(), false).watch("gone").has_value());
}

// What the kernel is told of last: "<eventfd> <control file> [<level>]".
int armed_eventfd(const CgroupFixture& fixture) {
  const std::string text = fixture.get(kGroup, "cgroup.event_control");
  return base::parse_number<int>(text.substr(0, text.find(' '))).value();
}

class MemoryWatch : public tests::LoopTest {
 protected:
  MemoryWatch() {
    fixture_.make_group(kGroup, {"cgroup.event_control"});
    fixture_.set(kGroup, "memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
    fixture_.set(kGroup, kHard, "33554432\n");
    fixture_.set(kGroup, "memory.max_usage_in_bytes", "33554432\n");
  }

  // Whether the watch ends within a moment.
  bool ends(base::Task<isolators::Limitation> watch) {
    return run(base::with_timeout(std::move(watch), std::chrono::milliseconds(30))).has_value();
  }

  const CgroupFixture fixture_{"memory"};
  MemorySubsystem memory_{fixture_.open(), false};
};

TEST_F(MemoryWatch, EndsWithTheKernelsNotification) {
  auto watch = memory_.watch(kGroup);
  ASSERT_TRUE(watch.has_value());
  ASSERT_EQ(0, eventfd_write(armed_eventfd(fixture_), 1));
  const auto limitation = run(*std::move(watch));
  EXPECT_EQ(mesos::v1::TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY, limitation.reason);
  EXPECT_TRUE(limitation.message.starts_with(
      "Memory limit exceeded: Requested: 32MB Maximum Used: 32MB\n"));
}

TEST_F(MemoryWatch, WaitsAsLongAsNothingHappens) {
  auto watch = memory_.watch(kGroup);
  ASSERT_TRUE(watch.has_value());
  EXPECT_FALSE(ends(*std::move(watch)));
}

// Removing a group makes the same notification.
TEST_F(MemoryWatch, TheGroupsRemovalIsNoLimitation) {
  auto watch = memory_.watch(kGroup);
  ASSERT_TRUE(watch.has_value());
  const int notification = armed_eventfd(fixture_);
  ASSERT_TRUE(base::remove_tree(fixture_.directory() + "/" + kGroup));
  ASSERT_EQ(0, eventfd_write(notification, 1));
  EXPECT_FALSE(ends(*std::move(watch)));
}

TEST(MemoryPressure, CountsFromTheStart) {
  const CgroupFixture fixture("memory");
  fixture.make_group(kGroup, {"cgroup.event_control", "memory.pressure_level"});
  MemorySubsystem memory(fixture.open(), false);
  memory.start_counting(kGroup);
  const int critical = armed_eventfd(fixture);  // the last of the three
  ResourceStatistics statistics;
  read_usage(memory, kGroup, &statistics);
  EXPECT_TRUE(statistics.has_mem_low_pressure_counter());
  EXPECT_TRUE(statistics.has_mem_medium_pressure_counter());
  EXPECT_TRUE(statistics.has_mem_critical_pressure_counter());
  EXPECT_EQ(0U, statistics.mem_critical_pressure_counter());

  ASSERT_EQ(0, eventfd_write(critical, 2));
  read_usage(memory, kGroup, &statistics);
  EXPECT_EQ(2U, statistics.mem_critical_pressure_counter());
  ASSERT_EQ(0, eventfd_write(critical, 3));
  read_usage(memory, kGroup, &statistics);
  EXPECT_EQ(5U, statistics.mem_critical_pressure_counter());
  EXPECT_EQ(0U, statistics.mem_low_pressure_counter());

  memory.stop_counting(kGroup);
  ResourceStatistics after;
  read_usage(memory, kGroup, &after);
  EXPECT_FALSE(after.has_mem_critical_pressure_counter());
  // Of a group that is gone, or on a kernel that does not report it.
  memory.start_counting("gone");
  read_usage(memory, "gone", &after);
  EXPECT_FALSE(after.has_mem_critical_pressure_counter());
}

}  // namespace
