#include "agent/attributes.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace {

// "name=SCALAR(1)" and the like, separated by blanks.
std::string describe(const std::vector<mesos::v1::Attribute>& attributes) {
  std::string text;
  for (const auto& attribute : attributes) {
    if (!text.empty()) text += ' ';
    text += attribute.name() + "=" + mesos::v1::Value::Type_Name(attribute.type()) + "(";
    if (attribute.has_scalar()) text += std::to_string(attribute.scalar().value());
    if (attribute.has_text()) text += attribute.text().value();
    for (const auto& range : attribute.ranges().range()) {
      text += std::to_string(range.begin()) + "-" + std::to_string(range.end()) + ",";
    }
    text += ")";
  }
  return text;
}

TEST(Attributes, parse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {" ;\n; ", ""},
      {"rack:abc;zone:1", "rack=TEXT(abc) zone=SCALAR(1.000000)"},
      {"rack:abc\nzone:1.5\n", "rack=TEXT(abc) zone=SCALAR(1.500000)"},
      {" rack : a b c ;", "rack=TEXT(abc)"},
      {"time:10:30:00", "time=TEXT(10:30:00)"},
      {"url:http://a/b?c=d", "url=TEXT(http://a/b?c=d)"},
      {"vlan:[1-5,6-8]", "vlan=RANGES(1-8,)"},
      {"a:1;a:2", "a=SCALAR(1.000000) a=SCALAR(2.000000)"},
      {"version:1.2.3", "version=TEXT(1.2.3)"},
      {"load:nan", "load=TEXT(nan)"},
  };
  for (const auto& [text, expected] : cases) {
    const auto attributes = agent::parse_attributes(text);
    ASSERT_TRUE(attributes.has_value()) << attributes.error().message;
    EXPECT_EQ(describe(*attributes), expected) << text;
  }
}

TEST(Attributes, refuse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"rack", "--attributes: cannot take 'rack': expected name:value"},
      {"a:1;rack", "--attributes: cannot take 'rack': expected name:value"},
      {":abc", "--attributes: cannot take ':abc': expected a name before the colon"},
      {" : abc", "--attributes: cannot take ': abc': expected a name before the colon"},
      {"rack:", "--attributes: cannot take 'rack:': expected a value after the colon"},
      {"rack: ;a:1", "--attributes: cannot take 'rack:': expected a value after the colon"},
      {"a:{b,c}",
       "--attributes: cannot take 'a:{b,c}': an attribute cannot be a set; expected a number, "
       "ranges or text"},
      {"a:[1-",
       "--attributes: cannot take 'a:[1-': expected ranges of integers, as in [1-5,8-9], not "
       "'[1-'"},
  };
  for (const auto& [text, expected] : cases) {
    const auto attributes = agent::parse_attributes(text);
    ASSERT_FALSE(attributes.has_value()) << text;
    EXPECT_EQ(attributes.error().kind, base::ErrorKind::kInvalid);
    EXPECT_EQ(attributes.error().message, expected);
  }
}

}  // namespace
