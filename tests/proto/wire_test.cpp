#include "proto/wire.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace proto {
namespace {

using namespace std::string_literals;

std::vector<uint32_t> tags(std::string_view bytes, bool* failed) {
  std::vector<uint32_t> found;
  WireReader reader(bytes);
  while (reader.next()) found.push_back(reader.tag());
  *failed = reader.failed();
  return found;
}

TEST(WireTest, ReadsWhatItWrites) {
  std::string bytes;
  put_varint(1, 0, &bytes);
  put_varint(15, std::numeric_limits<uint64_t>::max(), &bytes);
  put_double(16, -1.5, &bytes);
  put_bytes(2047, "text\0more"s, &bytes);
  put_id(3, "id", &bytes);

  WireReader reader(bytes);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.tag(), varint_field(1));
  EXPECT_EQ(reader.varint(), 0);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.tag(), varint_field(15));
  EXPECT_EQ(reader.varint(), std::numeric_limits<uint64_t>::max());
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.tag(), double_field(16));
  EXPECT_EQ(reader.as_double(), -1.5);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.tag(), bytes_field(2047));
  EXPECT_EQ(reader.bytes(), "text\0more"s);
  ASSERT_TRUE(reader.next());
  EXPECT_EQ(reader.tag(), bytes_field(3));
  EXPECT_EQ(reader.bytes(), "\x0a\x02id");
  EXPECT_FALSE(reader.next());
  EXPECT_FALSE(reader.failed());
}

TEST(WireTest, SkipsGroups) {
  // Field 1 is a group with a varint, a nested group and text in it; then comes field 2.
  const std::string bytes = "\x0b\x10\x05\x1b\x1c\x22\x01x\x0c\x10\x07"s;
  bool failed = true;
  const auto found = tags(bytes, &failed);
  EXPECT_FALSE(failed);
  ASSERT_EQ(found.size(), 2);
  EXPECT_EQ(found[1], varint_field(2));
}

TEST(WireTest, FailsForWhatIsCutOffOrMalformed) {
  const std::string cases[] = {
      "\x08"s,                          // no value
      "\x08\x80"s,                      // half a varint
      "\x80"s,                          // half a tag
      "\x0a\x05one"s,                   // shorter than it says
      "\x09\x01\x02"s,                  // half a double
      "\x0d\x01"s,                      // half a fixed32
      "\x0b\x10\x05"s,                  // a group without an end
      "\x0b\x14"s,                      // a group with another one's end
      "\x0c"s,                          // an end without a group
      "\x00\x00"s,                      // field 0
      "\x0e\x01"s,                      // no such wire type
      "\x88\x80\x80\x80\x80\x00\x01"s,  // a tag of six bytes
      std::string(11, '\xff'),          // a varint that never ends
      "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s,
      std::string(500, '\x0b'),
  };
  for (const std::string& bytes : cases) {
    bool failed = false;
    tags(bytes, &failed);
    EXPECT_TRUE(failed) << testing::PrintToString(bytes);
  }
}

}  // namespace
}  // namespace proto
