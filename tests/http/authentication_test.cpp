#include "http/authentication.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "proto/base64.h"

namespace {

using base::concat;
using http::Authenticators;
using http::BasicAuthenticator;
using http::Headers;
using http::JwtAuthenticator;

constexpr std::string_view kKey = "a key";

Headers with(std::string authorization) { return {{"Authorization", std::move(authorization)}}; }

std::string basic(std::string_view text) {
  std::string header = "Basic ";
  proto::append_base64(text, &header);
  return header;
}

std::shared_ptr<const http::Authenticator> make_basic() {
  return std::make_shared<BasicAuthenticator>(
      *http::Credentials::parse(R"({"credentials":[{"principal":"ann","secret":"pw"},)"
                                R"({"principal":"bob","secret":"p:w"}]})"));
}
std::shared_ptr<const http::Authenticator> make_jwt() {
  return std::make_shared<JwtAuthenticator>(std::string(kKey));
}

// Whom it makes of the sender, or the challenge.
std::string outcome(const Authenticators& authenticators, const Headers& headers) {
  const auto result = http::authenticate(authenticators, headers, "realm");
  if (result) return result->to_string();
  EXPECT_EQ(401, result.error().status);
  const std::string* challenge = result.error().headers.find("WWW-Authenticate");
  return challenge == nullptr ? "no challenge" : *challenge;
}

TEST(BasicAuthentication, RightAndWrong) {
  const Authenticators only{make_basic()};
  const std::string challenge = R"(Basic realm="realm")";
  EXPECT_EQ("ann", outcome(only, with(basic("ann:pw"))));
  EXPECT_EQ(challenge, outcome(only, {}));
  for (const std::string& wrong :
       {basic("ann:px"), basic("ann:"), basic("ann"), basic(":pw"), basic("eve:pw"), basic(""),
        basic("ann:pw:"), basic(":ann:pw"), basic(std::string("ann:pw\0", 7)),
        // Colons in secrets never worked in Mesos.
        basic("bob:p:w"), std::string("Basic"), std::string("Basic "), std::string("Basic %%%"),
        concat("Basic  ", basic("ann:pw").substr(6)), concat(basic("ann:pw"), " x"),
        concat("basic ", basic("ann:pw").substr(6)),
        concat("Bearer ", basic("ann:pw").substr(6))}) {
    EXPECT_EQ(challenge, outcome(only, with(wrong))) << wrong;
  }
  const auto refused = http::authenticate(only, {}, "realm");
  EXPECT_EQ("401 Unauthorized.", refused.error().body);
}

TEST(BasicAuthentication, TheLastHeaderCounts) {
  Headers headers = with(basic("ann:px"));
  headers.append("authorization", basic("ann:pw"));
  EXPECT_EQ("ann", outcome({make_basic()}, headers));
}

TEST(JwtAuthentication, HasClaimsAndNoName) {
  const std::string token = http::make_jwt({{"cid", "c"}, {"fid", "f"}}, kKey);
  const auto result = http::authenticate({make_jwt()}, with("Bearer " + token), "realm");
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(std::nullopt, result->value);
  EXPECT_EQ((http::Claims{{"cid", "c"}, {"fid", "f"}}), result->claims);
  EXPECT_EQ("{cid:c,fid:f}", result->to_string());
}

TEST(JwtAuthentication, Challenges) {
  const Authenticators only{make_jwt()};
  EXPECT_EQ(R"(Bearer realm="realm")", outcome(only, {}));
  const auto refused = [](std::string_view why) {
    return concat(R"(Bearer realm="realm", error="invalid_token", error_description=")", why, "\"");
  };
  EXPECT_EQ(refused("Malformed 'Authorization' header"), outcome(only, with("Bearer")));
  EXPECT_EQ(refused("Malformed 'Authorization' header"), outcome(only, with("token=a.b.c")));
  EXPECT_EQ(refused("Scheme 'Basic' unsupported"), outcome(only, with("Basic x")));
  EXPECT_EQ(refused(R"(Scheme '\"\\?' unsupported)"), outcome(only, with("\"\\\t x")));
  EXPECT_EQ(refused("Invalid JWT: The signature is wrong"),
            outcome(only, with("Bearer " + http::make_jwt({{"cid", "c"}}, "another"))));
  EXPECT_EQ(refused("JWT claims missing"),
            outcome(only, with("Bearer " + http::make_jwt({}, kKey))));
}

TEST(Authentication, OneOfSeveralIsEnough) {
  const Authenticators both{make_basic(), make_jwt()};
  EXPECT_EQ("ann", outcome(both, with(basic("ann:pw"))));
  EXPECT_EQ("{cid:c}", outcome(both, with("Bearer " + http::make_jwt({{"cid", "c"}}, kKey))));
  EXPECT_EQ(R"(Basic realm="realm",Bearer realm="realm")", outcome(both, {}));
  const auto refused = http::authenticate(both, {}, "realm");
  EXPECT_EQ(
      "\"Basic\" authenticator returned:\n401 Unauthorized.\n\n"
      "\"Bearer\" authenticator returned:\n401 Unauthorized.",
      refused.error().body);
}

}  // namespace
