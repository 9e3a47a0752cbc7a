#include "http/base64url.h"

#include <gtest/gtest.h>

namespace {

using http::decode_base64url;
using http::encode_base64url;

TEST(Base64Url, KnownTexts) {
  const std::pair<std::string, std::string> kKnown[] = {
      {"", ""},        {"f", "Zg"},        {"fo", "Zm8"},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"\xfb\xff\xbf", "-_-_"}};
  for (const auto& [bytes, text] : kKnown) {
    EXPECT_EQ(text, encode_base64url(bytes));
    EXPECT_EQ(bytes, decode_base64url(text));
  }
}

TEST(Base64Url, EveryByteComesBack) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    bytes += static_cast<char>(i);
    EXPECT_EQ(bytes, decode_base64url(encode_base64url(bytes)));
  }
}

TEST(Base64Url, StrictlyOneForm) {
  for (const char* text : {"Zg==", "Zg=", "Z", "Zm9vY", "Zm+v", "Zm/v", "Zm 9v", "Zm9v\n", "Zh"}) {
    EXPECT_EQ(std::nullopt, decode_base64url(text)) << text;
  }
}

}  // namespace
