#include "agent/role.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace {

TEST(Role, accepts) {
  for (const std::string_view role :
       {"*", "a", "web", "eng/web", "a.b", "...", "a-b", "ä", "a/*b"}) {
    EXPECT_TRUE(agent::check_role(role).has_value()) << role;
  }
}

TEST(Role, refuses) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "it is empty"},
      {".", "'.' cannot be a part of it"},
      {"..", "'..' cannot be a part of it"},
      {"a/..", "'..' cannot be a part of it"},
      {"a/*", "'*' cannot be a part of it"},
      {"-a", "a part of it begins with '-'"},
      {"a/-b", "a part of it begins with '-'"},
      {"/a", "it begins or ends with a slash, or has two in a row"},
      {"a/", "it begins or ends with a slash, or has two in a row"},
      {"a//b", "it begins or ends with a slash, or has two in a row"},
      {"a b", "it contains a blank or a control character"},
      {"a\t", "it contains a blank or a control character"},
      {"a\b", "it contains a blank or a control character"},
      {"a\x7f", "it contains a blank or a control character"},
  };
  for (const auto& [role, reason] : cases) {
    const auto checked = agent::check_role(role);
    ASSERT_FALSE(checked.has_value()) << role;
    EXPECT_EQ(checked.error().kind, base::ErrorKind::kInvalid);
    EXPECT_EQ(checked.error().message, "'" + role + "' is not the name of a role: " + reason);
  }
}

}  // namespace
