#include "containerizer/bare_text.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <string>

#include "base/strings.h"

namespace {

using containerizer::BareText;
using containerizer::describe_error;

std::string error_text(int code) {
  BareText text;
  describe_error(code, &text);
  return text.c_str();
}

// What the C library says, where the helper says anything but the number.
TEST(BareText, ErrorsAreThoseOfTheCLibrary) {
  EXPECT_EQ("No such file or directory", error_text(ENOENT));
  int known = 0;
  for (int code = 1; code < 134; ++code) {
    if (error_text(code) == base::concat("error ", code)) continue;
    EXPECT_EQ(strerror(code), error_text(code));
    ++known;
  }
  EXPECT_EQ(39, known);
}

TEST(BareText, Numbers) {
  for (long number : {0L, 7L, 10L, -1L, 123456789L, LONG_MAX, LONG_MIN}) {
    BareText text;
    text << number;
    EXPECT_EQ(std::to_string(number), text.c_str());
  }
}

TEST(BareText, WhatDoesNotFitIsLeftOut) {
  BareText text;
  text << std::string(4095, 'a').c_str();
  EXPECT_TRUE(text.is_complete());
  text << "b";
  EXPECT_FALSE(text.is_complete());
  EXPECT_EQ(std::string(4095, 'a'), text.c_str());
  EXPECT_EQ(4095U, text.size());
}

}  // namespace
