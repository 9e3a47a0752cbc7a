#include "proto/json_number.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <random>
#include <string>

namespace proto {
namespace {

std::string write(double value) {
  std::string out;
  append_json_number(value, &out);
  return out;
}

TEST(JsonNumber, WritesWholeNumbersWithAPoint) {
  EXPECT_EQ(write(0), "0.0");
  EXPECT_EQ(write(-0.0), "-0.0");
  EXPECT_EQ(write(1), "1.0");
  EXPECT_EQ(write(-1024), "-1024.0");
  EXPECT_EQ(write(1795251600), "1795251600.0");
  EXPECT_EQ(write(1e20), "100000000000000000000.0");
  EXPECT_EQ(write(123456789012345680.0), "123456789012345680.0");
}

TEST(JsonNumber, WritesTheShortestFraction) {
  EXPECT_EQ(write(0.1), "0.1");
  EXPECT_EQ(write(0.07), "0.07");
  EXPECT_EQ(write(-12.5), "-12.5");
  EXPECT_EQ(write(1795254983.097926), "1795254983.097926");
  EXPECT_EQ(write(1.0 / 3), "0.3333333333333333");
  EXPECT_EQ(write(0.000001), "0.000001");
  EXPECT_EQ(write(0.0000123), "0.0000123");
}

TEST(JsonNumber, WritesExponentsBeyondTheseBounds) {
  EXPECT_EQ(write(1e21), "1e21");
  EXPECT_EQ(write(-1e30), "-1e30");
  EXPECT_EQ(write(1.5e30), "1.5e30");
  EXPECT_EQ(write(1e-7), "1e-7");
  EXPECT_EQ(write(1.25e-7), "1.25e-7");
  EXPECT_EQ(write(std::numeric_limits<double>::max()), "1.7976931348623157e308");
  EXPECT_EQ(write(std::numeric_limits<double>::denorm_min()), "5e-324");
}

TEST(JsonNumber, HasWordsForWhatIsNoNumber) {
  EXPECT_EQ(write(HUGE_VAL), "\"Infinity\"");
  EXPECT_EQ(write(-HUGE_VAL), "\"-Infinity\"");
  EXPECT_EQ(write(std::nan("")), "0.0");
}

TEST(JsonNumber, WritesWhatReadsBackTheSame) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const double value = std::bit_cast<double>(random());
    if (!std::isfinite(value)) continue;
    const std::string text = write(value);
    ASSERT_EQ(std::strtod(text.c_str(), nullptr), value) << text;
    ASSERT_EQ(JsonNumber::parse(text).as<double>(), value) << text;
  }
}

TEST(JsonNumber, KeepsWholeNumbersOf64BitsExact) {
  EXPECT_EQ(JsonNumber::parse("9223372036854775807").as<int64_t>(), INT64_MAX);
  EXPECT_EQ(JsonNumber::parse("-9223372036854775808").as<int64_t>(), INT64_MIN);
  EXPECT_EQ(JsonNumber::parse("18446744073709551615").as<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(JsonNumber::parse("9007199254740993").as<int64_t>(), 9007199254740993);
  EXPECT_EQ(JsonNumber::parse("9007199254740993").as<double>(), 9007199254740992.0);
}

TEST(JsonNumber, CutsOffFractions) {
  EXPECT_EQ(JsonNumber::parse("1.9").as<int32_t>(), 1);
  EXPECT_EQ(JsonNumber::parse("-1.9").as<int32_t>(), -1);
  EXPECT_EQ(JsonNumber::parse("-0.9").as<uint32_t>(), 0u);
  EXPECT_EQ(JsonNumber::parse("1e3").as<int64_t>(), 1000);
  EXPECT_EQ(JsonNumber::parse("12.5e1").as<uint64_t>(), 125u);
}

TEST(JsonNumber, WrapsAround) {
  EXPECT_EQ(JsonNumber::parse("-1").as<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(JsonNumber::parse("-1.5").as<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(JsonNumber::parse("-1").as<uint32_t>(), UINT32_MAX);
  EXPECT_EQ(JsonNumber::parse("4294967297").as<uint32_t>(), 1u);
  EXPECT_EQ(JsonNumber::parse("4294967297.5").as<int32_t>(), 1);
  EXPECT_EQ(JsonNumber::parse("3000000000").as<int32_t>(), -1294967296);
  EXPECT_EQ(JsonNumber::parse("18446744073709551616").as<uint64_t>(), 0u);
  EXPECT_EQ(JsonNumber::parse("18446744073709551615").as<int64_t>(), -1);
}

TEST(JsonNumber, SurvivesNumbersBeyondAnyType) {
  EXPECT_EQ(JsonNumber::parse("1.8e308").as<double>(), HUGE_VAL);
  EXPECT_EQ(JsonNumber::parse("-1.8e308").as<double>(), -HUGE_VAL);
  EXPECT_EQ(JsonNumber::parse("1e-400").as<double>(), 0.0);
  EXPECT_EQ(JsonNumber::parse("1.8e308").as<int64_t>(), 0);
  EXPECT_EQ(JsonNumber(std::nan("")).as<int32_t>(), 0);
  EXPECT_EQ(JsonNumber::parse("1e300").as<int32_t>(), 0);
}

}  // namespace
}  // namespace proto
