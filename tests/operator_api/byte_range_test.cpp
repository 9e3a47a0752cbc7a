#include "operator_api/byte_range.h"

#include <gtest/gtest.h>

namespace {

using operator_api::ByteRange;
using operator_api::parse_range;
using operator_api::RangeError;

TEST(ByteRange, Parts) {
  const struct {
    const char* header;
    ByteRange part;
  } kCases[] = {
      {"bytes=0-0", {0, 1}},   {"bytes=2-5", {2, 4}},
      {"bytes=2-", {2, 8}},    {"bytes=9-", {9, 1}},
      {"bytes=0-99", {0, 10}}, {"bytes=-3", {7, 3}},
      {"bytes=-99", {0, 10}},  {" BYTES=1-2 ", {1, 2}},
      {"bytes= 1-2", {1, 2}},  {"bytes=0-18446744073709551615", {0, 10}},
  };
  for (const auto& test : kCases) {
    const auto part = parse_range(test.header, 10);
    ASSERT_TRUE(part.has_value() && part->has_value()) << test.header;
    EXPECT_EQ(test.part, **part) << test.header;
  }
}

TEST(ByteRange, WhatIsNoRangeMeansTheWholeFile) {
  for (const char* header :
       {"", "bytes", "bytes=", "bytes=-", "bytes=x-", "bytes=1-x", "bytes=5-2", "lines=1-2",
        "bytes=1-2,4-5", "bytes=-x", "bytes=+1-2", "bytes=1--2", "bytes=99999999999999999999-"}) {
    const auto part = parse_range(header, 10);
    ASSERT_TRUE(part.has_value()) << header;
    EXPECT_FALSE(part->has_value()) << header;
  }
}

TEST(ByteRange, BehindTheEnd) {
  for (const char* header : {"bytes=10-", "bytes=10-20", "bytes=-0"}) {
    EXPECT_FALSE(parse_range(header, 10).has_value()) << header;
  }
  for (const char* header : {"bytes=0-", "bytes=0-0", "bytes=-1"}) {
    EXPECT_FALSE(parse_range(header, 0).has_value()) << header;
  }
}

}  // namespace
