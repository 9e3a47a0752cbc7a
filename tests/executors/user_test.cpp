#include "executors/user.h"

#include <gtest/gtest.h>

namespace executors {
namespace {

constexpr char kPasswd[] =
    "root:x:0:0:root:/root:/bin/bash\n"
    "# a comment\n"
    "broken:x:zero:0:::\n"
    "short:x:5:5\n"
    "user:x:1000:100:A User,,,:/home/user:\n"
    "user:x:1:1:another of that name:/:\n"
    "last:x:7:8::/:/bin/sh";
constexpr char kGroup[] =
    "root:x:0:\n"
    "users:x:100:user\n"
    "audio:x:29:other,user\n"
    "video:x:44:username\n"
    "broken:x:x:user\n"
    "disk:x:6:user";

TEST(UserTest, Finds) {
  const auto user = find_user("user", kPasswd, kGroup);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->uid, 1000);
  EXPECT_EQ(user->gid, 100);
  EXPECT_EQ(user->groups, (std::vector<gid_t>{100, 29, 6}));
  const auto last = find_user("last", kPasswd, "");
  ASSERT_TRUE(last);
  EXPECT_EQ(last->uid, 7);
  EXPECT_EQ(last->groups, (std::vector<gid_t>{8}));
}

TEST(UserTest, WhatIsNotThereOrBroken) {
  for (const char* name : {"nobody", "", "broken", "short", "use", "# a comment"}) {
    EXPECT_FALSE(find_user(name, kPasswd, kGroup)) << name;
  }
}

TEST(UserTest, Resolves) {
  const auto missing = resolve_user("no such user");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, base::ErrorKind::kNotFound);
  EXPECT_EQ(missing.error().message, "--user: there is no user 'no such user' in /etc/passwd");
}

}  // namespace
}  // namespace executors
