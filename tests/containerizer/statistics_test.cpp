#include "containerizer/statistics.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/base/loop_test.h"
#include "tests/isolators/config.h"

namespace {

using containerizer::add_requested;
using isolators::ContainerConfig;
using mesos::v1::ResourceStatistics;
using tests::add_scalar;
using tests::kInfinite;
using tests::set_limit;

constexpr uint64_t kMegabyte = 1 << 20;

ResourceStatistics statistics_of(const ContainerConfig& config, bool cpu_limits_enforced = false) {
  ResourceStatistics statistics;
  add_requested(config, cpu_limits_enforced, &statistics);
  return statistics;
}

TEST(Statistics, NothingAskedForNothingTold) {
  EXPECT_EQ(0U, statistics_of({}, true).ByteSizeLong());
}

TEST(Statistics, Requests) {
  ContainerConfig config;
  add_scalar(&config, "cpus", 0.5);
  add_scalar(&config, "mem", 32.5);
  const auto statistics = statistics_of(config);
  EXPECT_EQ(0.5, statistics.cpus_soft_limit());
  EXPECT_FALSE(statistics.has_cpus_limit());
  EXPECT_EQ(32 * kMegabyte + kMegabyte / 2, statistics.mem_soft_limit_bytes());
  EXPECT_EQ(32 * kMegabyte + kMegabyte / 2, statistics.mem_limit_bytes());
  // With CFS a request is a limit too.
  EXPECT_EQ(0.5, statistics_of(config, true).cpus_limit());
}

TEST(Statistics, Limits) {
  ContainerConfig config;
  add_scalar(&config, "cpus", 0.5);
  add_scalar(&config, "mem", 32);
  set_limit(&config, "cpus", 2);
  set_limit(&config, "mem", 64);
  for (const bool enforced : {false, true}) {
    const auto statistics = statistics_of(config, enforced);
    EXPECT_EQ(0.5, statistics.cpus_soft_limit());
    EXPECT_EQ(2, statistics.cpus_limit());
    EXPECT_EQ(32 * kMegabyte, statistics.mem_soft_limit_bytes());
    EXPECT_EQ(64 * kMegabyte, statistics.mem_limit_bytes());
  }
}

TEST(Statistics, NoLimitIsAllThatTheHostHas) {
  ContainerConfig config;
  set_limit(&config, "cpus", kInfinite);
  set_limit(&config, "mem", kInfinite);
  const auto statistics = statistics_of(config);
  EXPECT_EQ(static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)), statistics.cpus_limit());
  EXPECT_EQ(static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
                static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE)),
            statistics.mem_limit_bytes());
}

TEST(Statistics, AmountsThatNoHostHas) {
  ContainerConfig config;
  add_scalar(&config, "mem", 1e300);
  set_limit(&config, "mem", 1e301);
  const auto statistics = statistics_of(config);
  EXPECT_EQ(isolators::kUnlimitedBytes, statistics.mem_soft_limit_bytes());
  EXPECT_EQ(isolators::kUnlimitedBytes, statistics.mem_limit_bytes());
}

class Measure : public tests::LoopTest {};

TEST_F(Measure, ResultsAreInOrder) {
  for (const size_t count : {0, 1, 8, 9, 32, 33, 1000}) {
    std::vector<containerizer::StatisticsReader> readers;
    for (size_t i = 0; i < count; ++i) {
      readers.push_back([i] {
        ResourceStatistics statistics;
        statistics.set_timestamp(static_cast<double>(i));
        return statistics;
      });
    }
    const auto results = run(containerizer::measure(std::move(readers)));
    ASSERT_EQ(count, results.size());
    for (size_t i = 0; i < count; ++i) EXPECT_EQ(static_cast<double>(i), results[i].timestamp());
  }
}

// Whoever has asked may be gone before all is measured.
TEST_F(Measure, CanBeCancelled) {
  std::vector<containerizer::StatisticsReader> readers(1000, [] { return ResourceStatistics(); });
  auto pending = containerizer::measure(std::move(readers));
  tests::Ignored ignored;
  pending.start(ignored);
  pending.cancel();
}

}  // namespace
