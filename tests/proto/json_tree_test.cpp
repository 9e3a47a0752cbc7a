#include "proto/json_tree.h"

#include <gtest/gtest.h>

namespace {

using proto::Json;
using proto::parse_json_tree;
using Type = proto::Json::Type;

Json parsed(std::string_view text) {
  auto json = parse_json_tree(text);
  EXPECT_TRUE(json.has_value()) << json.error().message;
  return json ? *std::move(json) : Json();
}

TEST(JsonTree, EveryType) {
  const Json json =
      parsed(R"( {"n":null, "t":true,"i":-1.50e3,"s":"a\u00e9\n","a":[1,[],{}],"o":{"x":"y"}} )");
  ASSERT_TRUE(json.is(Type::kObject));
  EXPECT_TRUE(json.find("n")->is(Type::kNull));
  EXPECT_TRUE(json.find("t")->is(Type::kBool));
  EXPECT_EQ("-1.50e3", json.find("i")->text);
  EXPECT_EQ("a\u00e9\n", json.find("s")->text);
  ASSERT_EQ(3U, json.find("a")->items.size());
  EXPECT_TRUE(json.find("a")->items[1].is(Type::kArray));
  EXPECT_EQ("y", json.find("o")->find("x")->text);
  EXPECT_EQ(nullptr, json.find("none"));
  EXPECT_EQ(nullptr, json.find("a")->find("x"));
  EXPECT_EQ(R"({"n":null,"t":true,"i":-1.50e3,"s":"aé\n","a":[1,[],{}],"o":{"x":"y"}})",
            json.to_text());
}

TEST(JsonTree, LastOfEqualNamesCounts) {
  EXPECT_EQ("2", parsed(R"({"a":1,"a":2})").find("a")->text);
}

TEST(JsonTree, WhatIsNotJson) {
  for (const char* text : {"", "{", "[1", "{}x", "{'a':1}", "nul", "01", "[1,]"}) {
    const auto json = parse_json_tree(text);
    ASSERT_FALSE(json.has_value()) << text;
    EXPECT_EQ(base::ErrorKind::kInvalid, json.error().kind);
  }
  // What is said of it does not quote it.
  const auto json = parse_json_tree(R"({"secret":"hush"...})");
  ASSERT_FALSE(json.has_value());
  EXPECT_EQ(std::string::npos, json.error().message.find("hush"));
  EXPECT_EQ("syntax error at line 1", json.error().message);
  EXPECT_EQ("Parsed JSON included non-whitespace trailing characters",
            parse_json_tree("{}: \"hush\"").error().message);
}

TEST(JsonTree, DepthIsBounded) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json_tree(nested(64)).has_value());
  EXPECT_FALSE(parse_json_tree(nested(65)).has_value());
  EXPECT_FALSE(parse_json_tree(std::string(1'000'000, '[')).has_value());
}

}  // namespace
