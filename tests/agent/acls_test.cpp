#include "agent/acls.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/strings.h"

namespace {

using agent::Acls;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Name = std::optional<std::string>;

Acls parsed(std::string_view json) {
  auto acls = Acls::parse(json);
  if (acls) return *std::move(acls);
  ADD_FAILURE() << acls.error().message;
  return *Acls::parse("{}");
}

std::string refusal(std::string_view json) {
  const auto acls = Acls::parse(json);
  if (acls) return "accepted";
  EXPECT_EQ(base::ErrorKind::kInvalid, acls.error().kind);
  return acls.error().message;
}

// Lists of one entry, for kill_nested_containers.
Acls one(std::string_view principals, std::string_view users, bool permissive) {
  return parsed(base::concat(R"({"permissive":)", std::string_view(permissive ? "true" : "false"),
                             R"(,"kill_nested_containers":[{"principals":)", principals,
                             R"(,"users":)", users, "}]}"));
}

TEST(Acls, WithoutAListThePermissiveFlagDecides) {
  EXPECT_TRUE(parsed("{}").allow("view_flags", "ann", {}));
  EXPECT_TRUE(parsed(R"({"permissive":true})").allow("view_flags", {}, {}));
  EXPECT_FALSE(parsed(R"({"permissive":false})").allow("view_flags", "ann", {}));
  EXPECT_FALSE(parsed(R"({"permissive":false,"view_flags":[]})").allow("view_flags", "ann", {}));
}

// What each pair of an entity and a name comes to: the entry does not match, so that `permissive`
// decides; or it does, and allows or denies.
TEST(Acls, EveryPairOfEntityAndName) {
  enum Outcome { kPassedOver, kAllowed, kDenied };
  constexpr std::string_view kSome = R"({"values":["a","b"]})";
  constexpr std::string_view kTyped = R"({"type":"SOME","values":["a"]})";
  constexpr std::string_view kNobody = R"({"values":[]})";
  constexpr std::string_view kAny = R"({"type":"ANY"})";
  constexpr std::string_view kNone = R"({"type":"NONE"})";
  const struct {
    std::string_view entity;
    Name name;
    Outcome outcome;
  } kCases[] = {
      {kSome, "a", kAllowed},      {kSome, "b", kAllowed},     {kSome, "c", kPassedOver},
      {kSome, {}, kPassedOver},    {kTyped, "a", kAllowed},    {kTyped, "b", kPassedOver},
      {kNobody, "a", kPassedOver}, {kNobody, {}, kPassedOver}, {kAny, "a", kAllowed},
      {kAny, {}, kAllowed},        {kNone, "a", kDenied},      {kNone, {}, kDenied},
  };
  for (const auto& [entity, name, outcome] : kCases) {
    for (const bool permissive : {true, false}) {
      const bool expected = outcome == kAllowed || (outcome == kPassedOver && permissive);
      const auto where = base::concat(entity, " ", name.value_or("(any)"));
      EXPECT_EQ(expected, one(entity, kAny, permissive).allow("kill_nested_containers", name, "u"))
          << where;
      EXPECT_EQ(expected, one(kAny, entity, permissive).allow("kill_nested_containers", "p", name))
          << where;
    }
  }
}

TEST(Acls, TheFirstEntryThatMatchesDecides) {
  const Acls acls = parsed(R"({"permissive":true,"run_tasks":[
      {"principals":{"values":["ann"]},"users":{"values":["root"]}},
      {"principals":{"values":["ann"]},"users":{"type":"NONE"}},
      {"principals":{"type":"NONE"},"users":{"values":["root"]}}]})");
  EXPECT_TRUE(acls.allow("run_tasks", "ann", "root"));
  EXPECT_FALSE(acls.allow("run_tasks", "ann", "nobody"));
  EXPECT_FALSE(acls.allow("run_tasks", "ann", {}));
  EXPECT_FALSE(acls.allow("run_tasks", "bob", "root"));
  EXPECT_TRUE(acls.allow("run_tasks", "bob", "nobody"));
  // Whoever was not asked counts as any.
  EXPECT_FALSE(acls.allow("run_tasks", {}, "root"));
}

TEST(Acls, RolesBelowARole) {
  const Acls acls = parsed(R"({"permissive":false,
      "view_roles":[{"principals":{"type":"ANY"},"roles":{"values":["a/%","b"]}}],
      "view_tasks":[{"principals":{"type":"ANY"},"users":{"values":["a/%"]}}]})");
  for (const char* role : {"a/x", "a/x/y", "b"}) EXPECT_TRUE(acls.allow("view_roles", "p", role));
  for (const char* role : {"a", "a/", "ab/x", "b/x", "", "%"}) {
    EXPECT_FALSE(acls.allow("view_roles", "p", role)) << role;
  }
  EXPECT_FALSE(acls.allow("view_tasks", "p", "a/x"));
  EXPECT_TRUE(acls.allow("view_tasks", "p", "a/%"));
}

TEST(Acls, Text) {
  EXPECT_EQ(R"({"permissive":false,"view_flags":[]})",
            parsed("{ \"permissive\" : false,\n \"view_flags\":[ ] }").text());
}

TEST(Acls, ListsOfOthers) {
  const Acls acls = parsed(
      R"({"register_frameworks":"whatever","view_flag":[],"update_quotas":[],"view_tasks":null})");
  EXPECT_THAT(acls.unknown_lists(), ElementsAre("view_flag"));
}

TEST(Acls, ObjectsOfAList) {
  const Acls acls = parsed(R"({"get_endpoints":[
      {"principals":{"type":"ANY"},"paths":{"values":["/a","/b"]}},
      {"principals":{"type":"ANY"},"paths":{"type":"NONE"}},
      {"principals":{"type":"ANY"},"paths":{"values":["/c"]}}]})");
  EXPECT_THAT(acls.objects_of("get_endpoints"), ElementsAre("/a", "/b", "/c"));
  EXPECT_TRUE(acls.objects_of("run_tasks").empty());
}

TEST(Acls, WhatIsRefused) {
  EXPECT_THAT(refusal(""), HasSubstr("expected access control lists as a JSON object"));
  EXPECT_THAT(refusal("{"), HasSubstr("syntax error at line 1"));
  EXPECT_EQ("expected access control lists as a JSON object", refusal("[]"));
  EXPECT_EQ("permissive: expected true or false", refusal(R"({"permissive":"no"})"));
  EXPECT_EQ("view_flags: expected an array", refusal(R"({"view_flags":{}})"));
  EXPECT_THAT(refusal(R"({"view_flags":[1]})"), HasSubstr("view_flags[0].principals: expected"));
  EXPECT_THAT(refusal(R"({"view_flags":[{"principals":{"type":"ANY"}}]})"),
              HasSubstr("view_flags[0].flags: expected"));
  EXPECT_THAT(refusal(R"({"view_flags":[{"principals":["ann"],"flags":{"type":"ANY"}}]})"),
              HasSubstr(R"(view_flags[0].principals: expected {"values":["..."]})"));
  EXPECT_THAT(refusal(R"({"view_flags":[{"principals":{},"flags":{"type":"ANY"}}]})"),
              HasSubstr("view_flags[0].principals: expected"));
  EXPECT_EQ("view_flags[0].flags: expected a type of SOME, ANY or NONE",
            refusal(R"({"view_flags":[{"principals":{"type":"ANY"},"flags":{"type":"ALL"}}]})"));
  EXPECT_EQ("view_flags[0].principals: expected values to be an array of strings",
            refusal(R"({"view_flags":[{"principals":{"values":[1]},"flags":{"type":"ANY"}}]})"));
}

}  // namespace
