#include "isolators/resources.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>

#include "tests/isolators/config.h"

namespace {

using isolators::bytes_of_megabytes;
using isolators::ContainerConfig;
using isolators::limited;
using isolators::requested;
using tests::add_scalar;
using tests::kInfinite;
using tests::set_limit;

TEST(Resources, RequestedIsTheSumOfTheName) {
  ContainerConfig config;
  EXPECT_EQ(std::nullopt, requested(config, "cpus"));
  add_scalar(&config, "cpus", 0.25);
  add_scalar(&config, "mem", 32);
  add_scalar(&config, "cpus", 1.5);
  add_scalar(&config, "disk", 0);
  EXPECT_EQ(1.75, requested(config, "cpus"));
  EXPECT_EQ(32, requested(config, "mem"));
  EXPECT_EQ(0, requested(config, "disk"));
  EXPECT_EQ(std::nullopt, requested(config, "cpu"));
  EXPECT_EQ(std::nullopt, requested(config, "gpus"));
}

TEST(Resources, OnlyScalarsAreAmounts) {
  ContainerConfig config;
  auto* ports = config.add_resources();
  ports->set_name("ports");
  ports->set_type(mesos::v1::Value::RANGES);
  EXPECT_EQ(std::nullopt, requested(config, "ports"));
}

TEST(Resources, LimitsApartFromRequests) {
  ContainerConfig config;
  add_scalar(&config, "cpus", 1);
  EXPECT_EQ(std::nullopt, limited(config, "cpus"));
  set_limit(&config, "cpus", 2);
  set_limit(&config, "mem", kInfinite);
  EXPECT_EQ(2, limited(config, "cpus"));
  EXPECT_EQ(kInfinite, limited(config, "mem"));
  EXPECT_EQ(std::nullopt, limited(config, "disk"));
}

TEST(Resources, MakeScalar) {
  const auto resource = isolators::make_scalar("mem", 32.5);
  EXPECT_EQ("mem", resource.name());
  EXPECT_EQ(mesos::v1::Value::SCALAR, resource.type());
  EXPECT_EQ(32.5, resource.scalar().value());
  EXPECT_FALSE(resource.has_role());
  EXPECT_TRUE(resource.IsInitialized());
}

// Whatever a client sends becomes an amount: nothing is undefined.
TEST(Resources, BytesOfMegabytes) {
  constexpr uint64_t kMegabyte = 1 << 20;
  EXPECT_EQ(0U, bytes_of_megabytes(0));
  EXPECT_EQ(32 * kMegabyte, bytes_of_megabytes(32));
  EXPECT_EQ(kMegabyte / 2, bytes_of_megabytes(0.5));
  EXPECT_EQ(0U, bytes_of_megabytes(-1));
  EXPECT_EQ(0U, bytes_of_megabytes(-kInfinite));
  EXPECT_EQ(0U, bytes_of_megabytes(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_LE(uint64_t{1} << 62, bytes_of_megabytes(1e300));
  EXPECT_LE(uint64_t{1} << 62, bytes_of_megabytes(kInfinite));
}

}  // namespace
