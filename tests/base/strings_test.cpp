#include "base/strings.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>

namespace {

using base::concat;
using base::parse_number;
using base::split;
using base::trim;
using Parts = std::vector<std::string_view>;

TEST(Strings, concat) {
  EXPECT_EQ(concat(), "");
  EXPECT_EQ(concat("a", std::string("b"), std::string_view("c"), 'd', 5), "abcd5");
  EXPECT_EQ(concat(-1, ' ', 0u), "-1 0");
  EXPECT_EQ(concat(std::numeric_limits<int64_t>::min()), "-9223372036854775808");
  EXPECT_EQ(concat(std::numeric_limits<uint64_t>::max()), "18446744073709551615");
  EXPECT_EQ(concat(uint8_t{200}, short{-3}), "200-3");
  EXPECT_EQ(concat(std::string_view("a\0b", 3)).size(), 3u);
}

TEST(Strings, split) {
  EXPECT_EQ(split("", ','), Parts());
  EXPECT_EQ(split("a", ','), (Parts{"a"}));
  EXPECT_EQ(split("a,b", ','), (Parts{"a", "b"}));
  EXPECT_EQ(split(",", ','), (Parts{"", ""}));
  EXPECT_EQ(split(",a,,b,", ','), (Parts{"", "a", "", "b", ""}));
  EXPECT_EQ(split("a,b", ';'), (Parts{"a,b"}));
}

TEST(Strings, trim) {
  EXPECT_EQ(trim(""), "");
  EXPECT_EQ(trim(" \t\r\n"), "");
  EXPECT_EQ(trim("a"), "a");
  EXPECT_EQ(trim("\t a b\r\n"), "a b");
}

TEST(Strings, ignores_case) {
  EXPECT_EQ(base::to_lower("Content-TYPE: \xC4"), "content-type: \xC4");
  EXPECT_TRUE(base::equals_ignoring_case("", ""));
  EXPECT_TRUE(base::equals_ignoring_case("aBc-Z", "AbC-z"));
  EXPECT_FALSE(base::equals_ignoring_case("abc", "abcd"));
  EXPECT_FALSE(base::equals_ignoring_case("abc", "abd"));
  EXPECT_FALSE(base::equals_ignoring_case("@[", "`{"));  // neighbours of the letters
}

TEST(Strings, parse_number) {
  EXPECT_EQ(parse_number<int>("0"), 0);
  EXPECT_EQ(parse_number<int>("-12"), -12);
  EXPECT_EQ(parse_number<int>("007"), 7);
  EXPECT_EQ(parse_number<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parse_number<int>("ff", 16), 255);
  EXPECT_EQ(parse_number<int>("755", 8), 0755);
  for (const char* text : {"", " 1", "1 ", "+1", "0x1", "1.0", "a", "-", "--1", "2147483648"}) {
    EXPECT_EQ(parse_number<int>(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_number<unsigned>("-1"), std::nullopt);
  EXPECT_EQ(parse_number<uint64_t>("18446744073709551616"), std::nullopt);
  EXPECT_EQ(parse_number<uint8_t>("256"), std::nullopt);
  EXPECT_EQ(parse_number<int>("9", 8), std::nullopt);
}

}  // namespace
