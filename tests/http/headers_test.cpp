#include "http/headers.h"

#include <gtest/gtest.h>

namespace {

using http::Headers;

TEST(Headers, names_have_no_case) {
  Headers headers;
  headers.append("content-TYPE", "a/b");
  ASSERT_TRUE(headers.has("Content-Type"));
  EXPECT_EQ(*headers.find("CONTENT-type"), "a/b");
  EXPECT_EQ(headers.find("Content-Typ"), nullptr);
  EXPECT_EQ(headers.find("Content-Types"), nullptr);
  EXPECT_EQ(headers.begin()->name, "content-TYPE");
}

TEST(Headers, last_value_counts) {
  const Headers headers = {
      {"Accept", "application/json"}, {"Host", "x"}, {"accept", "application/recordio"}};
  EXPECT_EQ(*headers.find("Accept"), "application/recordio");
  EXPECT_EQ(headers.size(), 3u);
}

TEST(Headers, set_replaces_all) {
  Headers headers = {{"A", "1"}, {"B", "2"}, {"a", "3"}};
  headers.set("A", "4");
  ASSERT_EQ(headers.size(), 2u);
  EXPECT_EQ(*headers.find("a"), "4");
  headers.remove("b");
  EXPECT_FALSE(headers.has("B"));
  headers.remove("nothing");
  EXPECT_EQ(headers.size(), 1u);
}

TEST(Headers, an_empty_value_is_a_value) {
  const Headers headers = {{"Accept", ""}};
  ASSERT_TRUE(headers.has("Accept"));
  EXPECT_EQ(*headers.find("Accept"), "");
}

}  // namespace
