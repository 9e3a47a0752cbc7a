#include "isolators/container_id.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <unordered_set>
#include <vector>

namespace {

using isolators::ContainerId;
using isolators::validate_container_id;
using mesos::v1::ContainerID;

// The chain from the root down.
ContainerID make_message(const std::vector<std::string>& levels) {
  ContainerID message;
  for (const auto& level : levels) {
    ContainerID child;
    if (message.has_value()) *child.mutable_parent() = message;
    child.set_value(level);
    message = child;
  }
  return message;
}

// What is wrong with the id; empty if nothing is.
std::string refusal(const ContainerID& message) {
  auto status = validate_container_id(message);
  if (status) return "";
  EXPECT_EQ(base::ErrorKind::kInvalid, status.error().kind);
  return status.error().message;
}

std::string text(size_t size) { return std::string(size, 'x'); }

TEST(ContainerIdRules, OneLevel) {
  const std::string nul("a\0b", 3);
  const struct {
    std::string value;
    std::string error;
  } kCases[] = {
      {"a", ""},
      {"5c1a8b0e-6d2f-4c3b-9f1d-0123456789ab", ""},
      {"a_b-c:d@e", ""},
      {"\u00e9", ""},
      {"~$*?'\"", ""},
      {"...", "'ContainerID.value' '...' contains invalid characters"},
      {text(242), ""},
      {"", "ID must not be empty"},
      {".", "'.' is disallowed"},
      {"..", "'..' is disallowed"},
      {"a/b", "'a/b' contains invalid characters"},
      {"/", "'/' contains invalid characters"},
      {"a\\b", "'a\\b' contains invalid characters"},
      {"a\nb", "'a\nb' contains invalid characters"},
      {"a\tb", "'a\tb' contains invalid characters"},
      {"a\x1f", "'a\x1f' contains invalid characters"},
      {"a\x7f", "'a\x7f' contains invalid characters"},
      {nul, "'" + nul + "' contains invalid characters"},
      {"a b", "'ContainerID.value' 'a b' contains invalid characters"},
      {"a.b", "'ContainerID.value' 'a.b' contains invalid characters"},
      {".a", "'ContainerID.value' '.a' contains invalid characters"},
      {text(243), "'ContainerID.value' '" + text(243) + "' exceeds the maximum length (242)"},
      {text(255), "'ContainerID.value' '" + text(255) + "' exceeds the maximum length (242)"},
      {text(256), "ID must not be greater than 255 characters"},
      {text(100'000), "ID must not be greater than 255 characters"},
      // Which rule is told of first.
      {text(256) + "/", "ID must not be greater than 255 characters"},
      {text(243) + "/", "'" + text(243) + "/' contains invalid characters"},
      {text(243) + ".",
       "'ContainerID.value' '" + text(243) + ".' exceeds the maximum length (242)"},
  };
  for (const auto& test : kCases) {
    EXPECT_EQ(test.error, refusal(make_message({test.value}))) << test.value;
    EXPECT_EQ(test.error, refusal(make_message({"root", test.value}))) << test.value;
  }
}

// Bytes count, not characters.
TEST(ContainerIdRules, BytesOfUtf8) {
  std::string value;
  while (value.size() < 242) value += "\u00e9";
  EXPECT_EQ("", refusal(make_message({value})));
  EXPECT_NE("", refusal(make_message({value + "\u00e9"})));
}

TEST(ContainerIdRules, EveryLevelOfTheChain) {
  EXPECT_EQ("", refusal(make_message({"a", "b", "c", "d"})));
  EXPECT_EQ("'ContainerID.parent' is invalid: ID must not be empty",
            refusal(make_message({"", "b"})));
  EXPECT_EQ("'ContainerID.parent' is invalid: '..' is disallowed",
            refusal(make_message({"..", "b"})));
  EXPECT_EQ(
      "'ContainerID.parent' is invalid: 'ContainerID.parent' is invalid: 'ContainerID.value' 'x y' "
      "contains invalid characters",
      refusal(make_message({"x y", "b", "c"})));
  // The nearest level is told of first.
  EXPECT_EQ("ID must not be empty", refusal(make_message({"..", ""})));
}

TEST(ContainerIdRules, AnyDepth) {
  EXPECT_EQ("", refusal(make_message(std::vector<std::string>(90, "x"))));
}

TEST(ContainerId, RoundTrip) {
  for (const std::vector<std::string>& levels : std::vector<std::vector<std::string>>{
           {"a"}, {"a", "b"}, {"a", "b", "c", "d"}, {"\u00e9", text(242)}, {"0", "-", "_"}}) {
    const ContainerID message = make_message(levels);
    const ContainerId id = ContainerId::from_message(message);
    EXPECT_EQ(message.SerializeAsString(), id.to_message().SerializeAsString()) << id.to_string();
    EXPECT_EQ(levels.back(), id.value());
    EXPECT_EQ(levels.size() > 1, id.has_parent());
    EXPECT_EQ(ContainerId::root_of(levels.front()), id.root());

    ContainerId built = ContainerId::root_of(levels.front());
    for (size_t i = 1; i < levels.size(); ++i) {
      const ContainerId child = built.child(levels[i]);
      EXPECT_EQ(built, child.parent());
      built = child;
    }
    EXPECT_EQ(id, built);
    EXPECT_EQ(std::hash<ContainerId>()(id), std::hash<ContainerId>()(built));
  }
}

TEST(ContainerId, Text) {
  EXPECT_EQ("a", ContainerId::root_of("a").to_string());
  EXPECT_EQ("a.b.c", ContainerId::from_message(make_message({"a", "b", "c"})).to_string());
}

TEST(ContainerId, Paths) {
  const ContainerId root = ContainerId::root_of("a");
  const ContainerId deep = root.child("b").child("c");
  EXPECT_EQ("a", root.to_path("containers"));
  EXPECT_EQ("a/containers/b/containers/c", deep.to_path("containers"));
  EXPECT_EQ("a/mesos/b/mesos/c", deep.to_path("mesos"));
}

TEST(ContainerId, Ancestors) {
  const ContainerId a = ContainerId::root_of("a");
  const ContainerId ab = a.child("b");
  const ContainerId abc = ab.child("c");
  EXPECT_TRUE(a.is_ancestor_of(ab));
  EXPECT_TRUE(a.is_ancestor_of(abc));
  EXPECT_TRUE(ab.is_ancestor_of(abc));
  EXPECT_FALSE(a.is_ancestor_of(a));
  EXPECT_FALSE(ab.is_ancestor_of(a));
  // A common beginning is no kinship.
  EXPECT_FALSE(a.is_ancestor_of(ContainerId::root_of("ab")));
  EXPECT_FALSE(a.is_ancestor_of(ContainerId::root_of("ab").child("b")));
  EXPECT_FALSE(ab.is_ancestor_of(a.child("bc")));
}

// Containers are kept in maps, where parents must come before their children.
TEST(ContainerId, ParentsComeFirst) {
  std::map<ContainerId, int> sorted;
  const ContainerId a = ContainerId::root_of("a");
  for (const char* sibling : {"-", "!", "0", "a", "~", "\u00e9"}) {
    sorted[a.child(sibling).child("x")] = 0;
    sorted[a.child(sibling)] = 0;
    sorted[ContainerId::root_of(std::string("a") + sibling).child("y")] = 0;
    sorted[ContainerId::root_of(std::string("a") + sibling)] = 0;
  }
  sorted[a] = 0;
  std::unordered_set<ContainerId> seen;
  for (const auto& [id, ignored] : sorted) {
    if (id.has_parent()) {
      EXPECT_TRUE(seen.contains(id.parent())) << id.to_string();
    }
    seen.insert(id);
  }
}

}  // namespace
