#include "http/credentials.h"

#include <gtest/gtest.h>

namespace {

using http::Credentials;

Credentials parsed(std::string_view text) {
  auto credentials = Credentials::parse(text);
  if (credentials) return *std::move(credentials);
  ADD_FAILURE() << credentials.error().message;
  return *Credentials::parse("x y");
}

std::string refusal(std::string_view text) {
  const auto credentials = Credentials::parse(text);
  if (credentials) return "accepted";
  EXPECT_EQ(base::ErrorKind::kInvalid, credentials.error().kind);
  // No reason quotes a secret.
  EXPECT_EQ(std::string::npos, credentials.error().message.find("hush"));
  return credentials.error().message;
}

TEST(Credentials, Json) {
  const auto credentials = parsed(R"( {"credentials":[
      {"principal":"ann","secret":"hush"}, {"secret":"a b:c\u00e9","principal":"bob","x":1}]} )");
  EXPECT_EQ(2U, credentials.size());
  EXPECT_TRUE(credentials.match("ann", "hush"));
  EXPECT_TRUE(credentials.match("bob", "a b:cé"));
  EXPECT_FALSE(credentials.match("ann", "hush "));
  EXPECT_FALSE(credentials.match("ann", ""));
  EXPECT_FALSE(credentials.match("ann", "a b:cé"));
  EXPECT_FALSE(credentials.match("", "hush"));
  EXPECT_FALSE(credentials.match("Ann", "hush"));
  EXPECT_FALSE(credentials.match("carl", "hush"));
}

TEST(Credentials, Lines) {
  const auto credentials = parsed("ann hush\r\n\n  bob\t\tpw  \n");
  EXPECT_EQ(2U, credentials.size());
  EXPECT_TRUE(credentials.match("ann", "hush"));
  EXPECT_TRUE(credentials.match("bob", "pw"));
}

TEST(Credentials, TheLastSecretCounts) {
  const auto credentials = parsed("ann one\nann two\n");
  EXPECT_FALSE(credentials.match("ann", "one"));
  EXPECT_TRUE(credentials.match("ann", "two"));
}

TEST(Credentials, WhatIsRefused) {
  EXPECT_EQ("there is nothing in it", refusal(""));
  EXPECT_EQ("there is nothing in it", refusal(" \n"));
  EXPECT_EQ("there is no credential in it", refusal(R"({"credentials":[]})"));
  const std::string form = R"(expected {"credentials":[{"principal":"...","secret":"..."}]})";
  EXPECT_EQ(form, refusal(R"({"principal":"ann","secret":"hush"})"));
  EXPECT_EQ(form, refusal(R"({"credentials":{"ann":"hush"}})"));
  EXPECT_EQ("the secret of credential 2 is missing, empty or not a string",
            refusal(R"({"credentials":[{"principal":"a","secret":"hush"},{"principal":"b"}]})"));
  EXPECT_EQ("the secret of credential 1 is missing, empty or not a string",
            refusal(R"({"credentials":[{"principal":"a","secret":["hush"]}]})"));
  EXPECT_EQ("the principal of credential 1 is missing, empty or not a string",
            refusal(R"({"credentials":["hush"]})"));
  EXPECT_EQ("expected a principal and a secret in line 2", refusal("a b\nann hush hush\n"));
  EXPECT_EQ("expected a principal and a secret in line 1", refusal("hush"));
  EXPECT_NE("accepted", refusal(R"({"credentials":[{"principal":"a","secret":"hush)"));
}

}  // namespace
