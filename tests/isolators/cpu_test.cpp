#include "isolators/cgroups/cpu.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>
#include <optional>
#include <string>

#include "tests/isolators/cgroup_fixture.h"
#include "tests/isolators/config.h"

namespace {

using isolators::ContainerConfig;
using isolators::CpuacctSubsystem;
using isolators::CpuSubsystem;
using mesos::v1::ResourceStatistics;
using tests::add_scalar;
using tests::CgroupFixture;
using tests::kInfinite;
using tests::read_usage;
using tests::set_limit;

constexpr char kGroup[] = "a/mesos/b";

TEST(Cpu, SharesAndQuota) {
  const struct {
    double cpus;
    std::optional<double> limit;
    bool enable_cfs;
    std::string shares;
    std::string period;
    std::string quota;
  } kCases[] = {
      // Shares are 1,024 for each cpu, at least 2.
      {1, {}, false, "1024", "", ""},
      {0.1, {}, false, "102", "", ""},
      {2.5, {}, false, "2560", "", ""},
      {0, {}, false, "2", "", ""},
      {0.002, {}, false, "2", "", ""},
      {0.003, {}, false, "3", "", ""},
      // With CFS the request is a hard limit as well; a quota has at least one millisecond.
      {1, {}, true, "1024", "100000", "100000"},
      {0.25, {}, true, "256", "100000", "25000"},
      {0.001, {}, true, "2", "100000", "1000"},
      {0, {}, true, "2", "100000", "1000"},
      // A limit is one with CFS or without.
      {0.5, 1.5, false, "512", "100000", "150000"},
      {0.5, 1.5, true, "512", "100000", "150000"},
      {0.5, 0.0, false, "512", "100000", "1000"},
      {0.5, kInfinite, false, "512", "100000", "-1"},
      {0.5, kInfinite, true, "512", "100000", "-1"},
      // What no host has, and what is no number.
      {1e300, {}, false, "1000000000000000", "", ""},
      {1, 1e300, false, "1024", "100000", "1000000000000000"},
      {1, std::numeric_limits<double>::quiet_NaN(), false, "1024", "100000", "1000"},
      {1, -1.0, false, "1024", "100000", "1000"},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.cpus);
    const CgroupFixture fixture("cpu");
    fixture.make_group(kGroup, {"cpu.shares", "cpu.cfs_period_us", "cpu.cfs_quota_us"});
    CpuSubsystem cpu(fixture.open(), test.enable_cfs);
    ContainerConfig config;
    add_scalar(&config, "cpus", test.cpus);
    if (test.limit) set_limit(&config, "cpus", *test.limit);
    const auto updated = cpu.update(kGroup, config);
    ASSERT_TRUE(updated) << updated.error().message;
    EXPECT_EQ(test.shares, fixture.get(kGroup, "cpu.shares"));
    EXPECT_EQ(test.period, fixture.get(kGroup, "cpu.cfs_period_us"));
    EXPECT_EQ(test.quota, fixture.get(kGroup, "cpu.cfs_quota_us"));
  }
}

TEST(Cpu, CpusMustBeGiven) {
  const CgroupFixture fixture("cpu");
  CpuSubsystem cpu(fixture.open(), true);
  ContainerConfig config;
  add_scalar(&config, "mem", 32);
  set_limit(&config, "cpus", 1);
  auto updated = cpu.update(kGroup, config);
  ASSERT_FALSE(updated.has_value());
  EXPECT_EQ("No cpus resource given", updated.error().message);
  EXPECT_EQ(base::ErrorKind::kInvalid, updated.error().kind);
}

TEST(Cpu, FailureNamesTheFile) {
  const CgroupFixture fixture("cpu");
  fixture.make_group(kGroup);
  CpuSubsystem cpu(fixture.open(), false);
  ContainerConfig config;
  add_scalar(&config, "cpus", 1);
  auto updated = cpu.update(kGroup, config);
  ASSERT_FALSE(updated.has_value());
  EXPECT_EQ("open '" + fixture.directory() + "/a/mesos/b/cpu.shares': No such file or directory",
            updated.error().message);
}

TEST(Cpu, StatisticsOfThrottlingWithCfsOnly) {
  const CgroupFixture fixture("cpu");
  fixture.make_group(kGroup);
  fixture.set(kGroup, "cpu.stat",
              "nr_periods 42\nnr_throttled 7\nthrottled_time 1500000000\nnr_bursts 1\n");
  ResourceStatistics statistics;
  read_usage(CpuSubsystem(fixture.open(), false), kGroup, &statistics);
  EXPECT_EQ(0U, statistics.ByteSizeLong());
  read_usage(CpuSubsystem(fixture.open(), true), kGroup, &statistics);
  EXPECT_EQ(42U, statistics.cpus_nr_periods());
  EXPECT_EQ(7U, statistics.cpus_nr_throttled());
  EXPECT_DOUBLE_EQ(1.5, statistics.cpus_throttled_time_secs());
}

TEST(Cpu, StatisticsThatCannotBeReadAreLeftOut) {
  const CgroupFixture fixture("cpu");
  ResourceStatistics statistics;
  CpuSubsystem cpu(fixture.open(), true);
  read_usage(cpu, "gone", &statistics);
  fixture.make_group(kGroup);
  for (const char* content : {"", "\n\n", "nr_periods", "nr_periods x\nthrottled_time -1\n",
                              "nr_periods 99999999999999999999\n", " 1\n"}) {
    fixture.set(kGroup, "cpu.stat", content);
    read_usage(cpu, kGroup, &statistics);
    EXPECT_EQ(0U, statistics.ByteSizeLong()) << content;
  }
}

TEST(Cpuacct, TimeUsed) {
  const CgroupFixture fixture("cpuacct");
  fixture.make_group(kGroup);
  const auto ticks = static_cast<uint64_t>(sysconf(_SC_CLK_TCK));
  fixture.set(kGroup, "cpuacct.stat", base::concat("user ", 3 * ticks, "\nsystem ", ticks, "\n"));
  ResourceStatistics statistics;
  read_usage(CpuacctSubsystem(fixture.open(), false), kGroup, &statistics);
  EXPECT_DOUBLE_EQ(3, statistics.cpus_user_time_secs());
  EXPECT_DOUBLE_EQ(1, statistics.cpus_system_time_secs());
  EXPECT_FALSE(statistics.has_processes());
  EXPECT_FALSE(statistics.has_threads());
}

TEST(Cpuacct, CountsProcessesAndThreadsOnRequest) {
  const CgroupFixture fixture("cpuacct");
  fixture.make_group(kGroup);
  fixture.set(kGroup, "cgroup.procs", "10\n11\n");
  fixture.set(kGroup, "tasks", "10\n11\n12\n");
  ResourceStatistics statistics;
  CpuacctSubsystem cpuacct(fixture.open(), true);
  read_usage(cpuacct, kGroup, &statistics);
  EXPECT_EQ(2U, statistics.processes());
  EXPECT_EQ(3U, statistics.threads());
  EXPECT_FALSE(statistics.has_cpus_user_time_secs());

  fixture.set(kGroup, "cgroup.procs", "");
  read_usage(cpuacct, kGroup, &statistics);
  EXPECT_EQ(0U, statistics.processes());
}

}  // namespace
