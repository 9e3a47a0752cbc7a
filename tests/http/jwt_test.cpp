#include "http/jwt.h"

#include <gtest/gtest.h>

#include "base/strings.h"
#include "http/base64url.h"
#include "http/hmac.h"

namespace {

using base::concat;
using http::Claims;
using http::encode_base64url;
using http::make_jwt;
using http::verify_jwt;
using std::chrono::seconds;
using std::chrono::system_clock;

constexpr std::string_view kKey = "a key";
constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";
const system_clock::time_point kNow{seconds(1'000'000)};

std::string view(const http::Sha256Mac& mac) {
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

// Signed as it should be, whatever the parts are.
std::string sign(std::string_view header, std::string_view payload, std::string_view key = kKey) {
  const std::string text = concat(encode_base64url(header), ".", encode_base64url(payload));
  return concat(text, ".", encode_base64url(view(http::hmac_sha256(key, text))));
}

// The reason why it is refused, or the claims.
std::string outcome(std::string_view token) {
  const auto claims = verify_jwt(token, kKey, kNow);
  if (!claims) {
    EXPECT_EQ(base::ErrorKind::kInvalid, claims.error().kind);
    return claims.error().message;
  }
  std::string text;
  for (const auto& [name, value] : *claims) text += concat(name, "=", value, ";");
  return text;
}

TEST(Hmac, KnownTexts) {
  // RFC 4231, test case 2.
  std::string hex;
  for (const char c : view(http::hmac_sha256("Jefe", "what do ya want for nothing?"))) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    hex += kDigits[static_cast<unsigned char>(c) >> 4];
    hex += kDigits[static_cast<unsigned char>(c) & 15];
  }
  EXPECT_EQ("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", hex);
  EXPECT_EQ(http::hmac_sha256("", "x"), http::hmac_sha256(std::string_view("\0", 1), "x"));
}

TEST(Hmac, Comparing) {
  EXPECT_TRUE(http::equal_in_constant_time("", ""));
  EXPECT_TRUE(http::equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(http::equal_in_constant_time("abc", "abd"));
  EXPECT_FALSE(http::equal_in_constant_time("abc", "ab"));
  EXPECT_NE(http::random_bytes(16), http::random_bytes(16));
}

TEST(Jwt, TheStandardsExample) {
  // RFC 7515, appendix A.1.
  const std::string token =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."
      "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
      "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
  const auto key = http::decode_base64url(
      "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const system_clock::time_point expiry{seconds(1300819380)};
  const auto claims = verify_jwt(token, key.value(), expiry);
  ASSERT_TRUE(claims.has_value()) << claims.error().message;
  EXPECT_EQ((Claims{{"iss", "joe"}, {"exp", "1300819380"}, {"http://example.com/is_root", "true"}}),
            *claims);
  EXPECT_FALSE(verify_jwt(token, key.value(), expiry + seconds(1)).has_value());
}

TEST(Jwt, AnExecutorsToken) {
  const Claims claims{{"fid", "f"}, {"eid", "e\"\n"}, {"cid", "c"}};
  const std::string token = make_jwt(claims, kKey);
  EXPECT_EQ(sign(kHeader, R"({"cid":"c","eid":"e\"\n","fid":"f"})"), token);
  EXPECT_EQ(claims, verify_jwt(token, kKey, kNow).value());
}

TEST(Jwt, ClaimsThatAreNoStrings) {
  EXPECT_EQ(R"(a=[1,{"b":null}];n=1.50;s=x;t=true;)",
            outcome(sign(kHeader, R"({"t":true,"n":1.50,"s":"x","a":[1, {"b":null}]})")));
  EXPECT_EQ("", outcome(sign(kHeader, "{}")));
}

TEST(Jwt, WrongAlgorithms) {
  for (const char* algorithm :
       {R"("none")", R"("None")", R"("HS384")", R"("RS256")", R"("hs256")", R"("")"}) {
    EXPECT_EQ("The algorithm is not HS256",
              outcome(sign(concat(R"({"alg":)", algorithm, "}"), R"({"cid":"c"})")));
  }
  // The way it is meant: without a signature.
  const std::string bare =
      concat(encode_base64url(R"({"alg":"none"})"), ".", encode_base64url(R"({"cid":"c"})"), ".");
  EXPECT_EQ("The algorithm is not HS256", outcome(bare));
  EXPECT_EQ("The header has no algorithm", outcome(sign("{}", "{}")));
  EXPECT_EQ("The header has no algorithm", outcome(sign(R"({"alg":1})", "{}")));
}

TEST(Jwt, OtherHeaders) {
  EXPECT_EQ("a=b;", outcome(sign(R"({"alg":"HS256"})", R"({"a":"b"})")));
  EXPECT_EQ("a=b;", outcome(sign(R"({"alg":"HS256","typ":"x","kid":"1"})", R"({"a":"b"})")));
  EXPECT_EQ("The type in the header is not a string",
            outcome(sign(R"({"alg":"HS256","typ":1})", "{}")));
  EXPECT_EQ("The header has critical extensions",
            outcome(sign(R"({"alg":"HS256","crit":["exp"]})", "{}")));
}

TEST(Jwt, BadSignatures) {
  const std::string good = sign(kHeader, R"({"cid":"c"})");
  EXPECT_EQ("cid=c;", outcome(good));
  EXPECT_EQ("The signature is wrong", outcome(sign(kHeader, R"({"cid":"c"})", "another key")));
  EXPECT_EQ("The signature is wrong", outcome(good.substr(0, good.rfind('.') + 1)));
  EXPECT_EQ("The signature is wrong", outcome(good.substr(0, good.size() - 2) + "AA"));
  EXPECT_EQ("The signature is not base64url", outcome(good + "="));
  // No byte of it can be changed.
  for (size_t i = 0; i < good.size(); ++i) {
    std::string changed = good;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_NE("cid=c;", outcome(changed)) << i;
  }
}

TEST(Jwt, Expiry) {
  EXPECT_EQ("exp=1000000;", outcome(sign(kHeader, R"({"exp":1000000})")));
  EXPECT_EQ("exp=1e7;", outcome(sign(kHeader, R"({"exp":1e7})")));
  EXPECT_EQ("The token has expired", outcome(sign(kHeader, R"({"exp":999999})")));
  EXPECT_EQ("The token has expired", outcome(sign(kHeader, R"({"exp":-1})")));
  for (const char* expiry : {R"("1000000")", "null", "true", "{}"}) {
    EXPECT_EQ("The time of expiry is not a number",
              outcome(sign(kHeader, concat(R"({"exp":)", expiry, "}"))));
  }
}

TEST(Jwt, WhatIsNoToken) {
  const std::string three = "Expected three parts with dots between them";
  for (const char* text : {"", ".", "a", "a.b", "a.b.c.d"}) EXPECT_EQ(three, outcome(text));
  EXPECT_EQ("The header is not a JSON object", outcome(".."));
  EXPECT_EQ("The header is not base64url", outcome("a+b.c.d"));
  EXPECT_EQ("The header is not base64url", outcome(sign(kHeader, "{}").insert(3, "=")));
  EXPECT_EQ("The header is not a JSON object", outcome(sign("[]", "{}")));
  for (const char* payload : {"", "[]", "1", "{", "{}{}"}) {
    EXPECT_EQ("The payload is not a JSON object", outcome(sign(kHeader, payload))) << payload;
  }
  EXPECT_EQ("It is too long", outcome(std::string(20000, 'a')));
}

}  // namespace
