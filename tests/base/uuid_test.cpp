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

TEST(Uuid, IsTextAndBytes) {
  const std::string text = "00010203-a0b1-c2d3-e4f5-fffefdfc0809";
  const std::string bytes("\x00\x01\x02\x03\xa0\xb1\xc2\xd3\xe4\xf5\xff\xfe\xfd\xfc\x08\x09", 16);
  EXPECT_EQ(text, base::uuid_to_text(bytes));
  EXPECT_EQ(bytes, base::uuid_to_bytes(text));
  EXPECT_EQ(bytes, base::uuid_to_bytes("00010203-A0B1-C2D3-E4F5-FFFEFDFC0809"));
  EXPECT_EQ(16U, base::make_uuid_bytes().size());
  for (const char* bad :
       {"", "00010203", "00010203-a0b1-c2d3-e4f5-fffefdfc08", "../../etc",
        "00010203-a0b1-c2d3-e4f5-fffefdfc08090", "0001020-3a0b1-c2d3-e4f5-fffefdfc0809",
        "g0010203-a0b1-c2d3-e4f5-fffefdfc0809"}) {
    EXPECT_EQ(std::nullopt, base::uuid_to_bytes(bad)) << bad;
  }
  EXPECT_EQ(std::nullopt, base::uuid_to_text("short"));
}

}  // namespace
