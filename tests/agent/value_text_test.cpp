#include "agent/value_text.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace {

using mesos::v1::Value;
using ::testing::HasSubstr;

TEST(ValueText, parses) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"1", "type: SCALAR scalar { value: 1 }"},
      {"0", "type: SCALAR scalar { value: 0 }"},
      {" 1 . 5\n", "type: SCALAR scalar { value: 1.5 }"},
      {".5", "type: SCALAR scalar { value: 0.5 }"},
      {"-2.5", "type: SCALAR scalar { value: -2.5 }"},
      {"1e3", "type: SCALAR scalar { value: 1000 }"},
      {"0.1234", "type: SCALAR scalar { value: 0.123 }"},
      {"0.1235", "type: SCALAR scalar { value: 0.124 }"},
      {"0.0004", "type: SCALAR scalar { value: 0 }"},
      {"[]", "type: RANGES ranges { }"},
      {"[1-5]", "type: RANGES ranges { range { begin: 1 end: 5 } }"},
      {"[ 7-7, 1 - 5 ]",
       "type: RANGES ranges { range { begin: 1 end: 5 } range { begin: 7 end: 7 } }"},
      {"[6-9,1-5]", "type: RANGES ranges { range { begin: 1 end: 9 } }"},
      {"[1-10,5-30,50-60]",
       "type: RANGES ranges { range { begin: 1 end: 30 } range { begin: 50 end: 60 } }"},
      {"[1-10,2-3]", "type: RANGES ranges { range { begin: 1 end: 10 } }"},
      {"[0-18446744073709551615,5-6]",
       "type: RANGES ranges { range { begin: 0 end: 18446744073709551615 } }"},
      {"{}", "type: SET set { }"},
      {"{a}", "type: SET set { item: 'a' }"},
      {"{ b, a }", "type: SET set { item: 'b' item: 'a' }"},
      {"abc", "type: TEXT text { value: 'abc' }"},
      {"a b:c", "type: TEXT text { value: 'ab:c' }"},
      {"", "type: TEXT text { value: '' }"},
      {"1.2.3", "type: TEXT text { value: '1.2.3' }"},
      {"nan", "type: TEXT text { value: 'nan' }"},
      {"inf", "type: TEXT text { value: 'inf' }"},
      {"-infinity", "type: TEXT text { value: '-infinity' }"},
      {"1e999", "type: TEXT text { value: '1e999' }"},
      {"4GB", "type: TEXT text { value: '4GB' }"},
  };
  for (const auto& [text, expected] : cases) {
    const auto value = agent::parse_value(text);
    ASSERT_TRUE(value.has_value()) << text << ": " << value.error().message;
    Value wanted;
    ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(expected, &wanted)) << expected;
    EXPECT_EQ(value->ShortDebugString(), wanted.ShortDebugString()) << text;
  }
}

TEST(ValueText, refuses_malformed_ranges_and_sets) {
  const std::string ranges = "expected ranges of integers, as in [1-5,8-9], not '";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[", ranges + "['"},
      {"[1-5", ranges + "[1-5'"},
      {"[1-5]x", ranges + "[1-5]x'"},
      {"[1]", ranges},
      {"[1-]", ranges},
      {"[-1]", ranges},
      {"[-1-5]", ranges},
      {"[5-1]", ranges},
      {"[1-5,]", ranges},
      {"[,1-5]", ranges},
      {"[1.5-2]", ranges},
      {"[a-b]", ranges},
      {"[1-18446744073709551616]", ranges},
      {"{", "expected a set, as in {a,b}, not '{'"},
      {"{a", "expected a set, as in {a,b}, not '{a'"},
      {"{a}b", "expected a set, as in {a,b}, not '{a}b'"},
      {"{a,}", "expected a set without empty items, not '{a,}'"},
      {"{,}", "expected a set without empty items, not '{,}'"},
  };
  for (const auto& [text, expected] : cases) {
    const auto value = agent::parse_value(text);
    ASSERT_FALSE(value.has_value()) << text;
    EXPECT_EQ(value.error().kind, base::ErrorKind::kInvalid);
    EXPECT_THAT(value.error().message, HasSubstr(expected));
  }
}

TEST(ValueText, rounds_scalars_to_three_decimals) {
  EXPECT_EQ(agent::round_scalar(0.1 + 0.2), 0.3);
  EXPECT_EQ(agent::round_scalar(1.0005), 1.001);
  EXPECT_EQ(agent::round_scalar(-1.0004), -1.0);
  EXPECT_EQ(agent::round_scalar(1e300), 1e300);
  EXPECT_EQ(agent::round_scalar(1234567890123.4567), 1234567890123.457);
}

}  // namespace
