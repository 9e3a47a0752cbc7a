#include "base/uuid.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

namespace {

TEST(Uuid, IsOfVersion4) {
  for (int i = 0; i < 100; ++i) {
    const std::string uuid = base::make_uuid();
    ASSERT_EQ(36U, uuid.size());
    for (size_t at = 0; at < uuid.size(); ++at) {
      const bool dash = at == 8 || at == 13 || at == 18 || at == 23;
      EXPECT_EQ(dash, uuid[at] == '-') << uuid;
      if (!dash) EXPECT_NE(nullptr, strchr("0123456789abcdef", uuid[at])) << uuid;
    }
    EXPECT_EQ('4', uuid[14]) << uuid;
    EXPECT_NE(nullptr, strchr("89ab", uuid[19])) << uuid;
  }
}

TEST(Uuid, AreDifferent) {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(base::make_uuid()).second);
}

}  // namespace
