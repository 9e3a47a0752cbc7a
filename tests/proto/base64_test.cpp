#include "proto/base64.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <string_view>

namespace proto {
namespace {

using namespace std::string_view_literals;

std::string encode(std::string_view bytes) {
  std::string out;
  append_base64(bytes, &out);
  return out;
}

TEST(Base64, EncodesTheVectorsOfRfc4648) {
  EXPECT_EQ(encode(""), "");
  EXPECT_EQ(encode("f"), "Zg==");
  EXPECT_EQ(encode("fo"), "Zm8=");
  EXPECT_EQ(encode("foo"), "Zm9v");
  EXPECT_EQ(encode("foob"), "Zm9vYg==");
  EXPECT_EQ(encode("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encode("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encode("\xfb\xff\xbf\x00"sv), "+/+/AA==");
}

TEST(Base64, AppendsToWhatIsThere) {
  std::string out = "data:";
  append_base64("foobarfoobarfoo", &out);
  EXPECT_EQ(out, "data:Zm9vYmFyZm9vYmFyZm9v");
}

TEST(Base64, DecodesWhatItEncodes) {
  std::mt19937 random(1);
  for (size_t size = 0; size < 200; ++size) {
    std::string bytes(size, 0);
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string text = encode(bytes);
    EXPECT_EQ(text.size(), (size + 2) / 3 * 4);
    const auto back = decode_base64(text);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(*back, bytes);
  }
}

struct Lenient {
  std::string_view text;
  std::string_view bytes;
};

TEST(Base64, DecodesLeniently) {
  constexpr Lenient kCases[] = {
      {"Zg", "f"},                                   // no padding
      {"Zm8", "fo"},                                 //
      {"Zm9v\nYmFy\r\n", "foobar"},                  // lines
      {" Z m\t9\vv\fYg = = ", "foob"},               // any white space
      {"Zm9v=YmFy", "foo"},                          // the end is at the first '='
      {"Zm9vYg==?!", "foob"},                        // whatever follows
      {"Zm9v====", "foo"},                           //
      {"=", ""},                                     //
      {"Zm9vYmFyZ", "foobar"},                       // six bits are no byte
      {"Zn==", "f"},                                 // bits that belong to no byte
      {"Zm9vYmFyZm9vYmF yZm9v", "foobarfoobarfoo"},  // late, after the fast part
  };
  for (const Lenient& c : kCases) {
    const auto bytes = decode_base64(c.text);
    ASSERT_TRUE(bytes) << c.text;
    EXPECT_EQ(*bytes, c.bytes) << c.text;
  }
}

TEST(Base64, NamesTheFirstBadCharacter) {
  for (const std::string_view text : {"Zm9?", "?", "Zm9vYmFyZm9vYmFy?", "Zm9v?Ym!y", "Zg ?"}) {
    const auto bytes = decode_base64(text);
    ASSERT_FALSE(bytes) << text;
    EXPECT_EQ(bytes.error().kind, base::ErrorKind::kInvalid);
    EXPECT_EQ(bytes.error().message, "Invalid character '?'");
  }
  // The alphabet of URLs is another one.
  EXPECT_EQ(decode_base64("ab-_").error().message, "Invalid character '-'");
  EXPECT_EQ(decode_base64("ab\xC3\xA9").error().message, "Invalid character '\xC3'");
}

}  // namespace
}  // namespace proto
