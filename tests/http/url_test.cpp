#include "http/url.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace {

using namespace std::string_literals;
using http::parse_query;
using http::percent_decode;
using http::split_target;

TEST(PercentDecode, decodes) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", ""},
      {"abc", "abc"},
      {"/slave%281%29/state", "/slave(1)/state"},
      {"%41%5a%5A", "AZZ"},
      {"a+b", "a+b"},
      {"%25", "%"},
      {"%2525", "%25"},
      {"%00", "\0"s},
      {"%e2%82%AC", "€"},
  };
  for (const auto& [text, expected] : cases) {
    const auto decoded = percent_decode(text);
    ASSERT_TRUE(decoded.has_value()) << text;
    EXPECT_EQ(*decoded, expected) << text;
  }
}

TEST(PercentDecode, refuses_broken_escapes) {
  for (const char* text : {"%", "%4", "a%", "a%4", "%zz", "%4g", "%g4", "%%41", "% 41", "%-1"}) {
    const auto decoded = percent_decode(text);
    ASSERT_FALSE(decoded.has_value()) << text;
    EXPECT_EQ(decoded.error().kind, base::ErrorKind::kInvalid) << text;
  }
}

TEST(ParseQuery, parses) {
  const auto query = parse_query("a=1&b=x%20y;c=p+q&d&e=&f=1=2&&a=3");
  ASSERT_TRUE(query.has_value());
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "3"}, {"b", "x y"}, {"c", "p q"}, {"d", ""}, {"e", ""}, {"f", "1=2"}};
  ASSERT_EQ(query->size(), expected.size());
  for (const auto& [name, value] : expected) {
    ASSERT_NE(query->find(name), nullptr) << name;
    EXPECT_EQ(*query->find(name), value) << name;
  }
  EXPECT_EQ(query->find("A"), nullptr);
  EXPECT_TRUE(parse_query("")->empty());
  EXPECT_TRUE(parse_query("&;&")->empty());
  EXPECT_EQ(*parse_query("%61%3d=%26")->find("a="), "&");
}

TEST(ParseQuery, refuses_broken_escapes) {
  EXPECT_FALSE(parse_query("a=%").has_value());
  EXPECT_FALSE(parse_query("a=1&%4=2").has_value());
}

TEST(SplitTarget, splits) {
  struct Case {
    std::string target, path, query;
  };
  const std::vector<Case> cases = {
      {"/", "/", ""},
      {"/a/b", "/a/b", ""},
      {"/a?b=c", "/a", "b=c"},
      {"/a?", "/a", ""},
      {"/a?b?c", "/a", "b?c"},
      {"/a?b=c#d", "/a", "b=c"},
      {"/a#d?b", "/a", ""},
      {"//api/v1", "//api/v1", ""},
      {"/x://y?z", "/x://y", "z"},
      {"http://host/a?b", "/a", "b"},
      {"http://host:5051/a", "/a", ""},
      {"http://host", "/", ""},
      {"http://host?b=c", "/", "b=c"},
  };
  for (const Case& c : cases) {
    const auto target = split_target(c.target);
    ASSERT_TRUE(target.has_value()) << c.target;
    EXPECT_EQ(target->path, c.path) << c.target;
    EXPECT_EQ(target->query, c.query) << c.target;
  }
  for (const char* bad : {"", "*", "a/b", "host:80", "?a://b"}) {
    const auto target = split_target(bad);
    ASSERT_FALSE(target.has_value()) << bad;
    EXPECT_EQ(target.error().message, "Request URL path must start with '/'");
  }
}

}  // namespace
