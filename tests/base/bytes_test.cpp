#include "base/bytes.h"

#include <gtest/gtest.h>

#include <vector>

namespace {

using namespace base::literals;
using base::Bytes;

TEST(Bytes, parses) {
  const std::vector<std::pair<std::string, Bytes>> cases = {
      {"0B", 0_B},
      {"17B", 17_B},
      {"1KB", 1024_B},
      {"64MB", 64_MB},
      {"2GB", 2_GB},
      {"3TB", 3_TB},
      {"64mb", 64_MB},
      {"64Mb", 64_MB},
      {"5b", 5_B},
      {"007KB", 7_KB},
      {"18446744073709551615B", Bytes(UINT64_MAX)},
      {"16777215TB", 16777215_TB},
  };
  for (const auto& [text, expected] : cases) {
    const auto parsed = base::parse_bytes(text);
    ASSERT_TRUE(parsed.has_value()) << text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(Bytes, refuses) {
  const std::vector<std::string> cases = {
      "",           "5",
      "MB",         "1.5GB",
      "5 MB",       " 5MB",
      "5MB ",       "5MB\n",
      "-5MB",       "+5MB",
      "5M",         "5KiB",
      "5PB",        "5MBMB",
      "1e3B",       "0x5B",
      "1GB5MB",     "18446744073709551616B",
      "16777216TB", "99999999999999999999999KB",
  };
  for (const std::string& text : cases) {
    const auto parsed = base::parse_bytes(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().kind, base::ErrorKind::kInvalid) << text;
    EXPECT_TRUE(parsed.error().message.starts_with("'" + text + "' is ")) << parsed.error().message;
  }
}

TEST(Bytes, prints) {
  const std::vector<std::pair<Bytes, std::string>> cases = {
      {0_B, "0B"},     {1_B, "1B"},         {1023_B, "1023B"},
      {1024_B, "1KB"}, {1536_B, "1536B"},   {10_MB, "10MB"},
      {2_GB, "2GB"},   {2048_TB, "2048TB"}, {Bytes(UINT64_MAX), "18446744073709551615B"},
  };
  for (const auto& [bytes, expected] : cases) {
    EXPECT_EQ(base::to_string(bytes), expected);
    EXPECT_EQ(base::parse_bytes(expected), bytes);
  }
}

TEST(Bytes, compares) {
  EXPECT_LT(1023_B, 1_KB);
  EXPECT_EQ(1024_MB, 1_GB);
  EXPECT_GT(1_TB, 1023_GB);
  EXPECT_EQ(Bytes().count(), 0u);
}

}  // namespace
