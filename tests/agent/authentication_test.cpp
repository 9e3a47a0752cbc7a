#include "agent/authentication.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "tests/scratch.h"

namespace {

using agent::Authentication;
using agent::Flags;
using agent::Realm;
using agent::SecretFile;
using ::testing::HasSubstr;

constexpr std::string_view kKey = "a key\n";

class AuthenticationTest : public ::testing::Test {
 protected:
  AuthenticationTest() {
    EXPECT_TRUE(base::write_file(scratch_ / "credentials", "ann pw\n", 0600));
    EXPECT_TRUE(base::write_file(scratch_ / "key", kKey, 0600));
    EXPECT_TRUE(base::write_file(scratch_ / "empty", "", 0600));
    flags_.http_credentials = SecretFile{scratch_ / "credentials"};
    flags_.jwt_secret_key = SecretFile{scratch_ / "key"};
  }

  // Who the sender is in a realm; "?" for nobody in particular, "" for one who is asked again.
  std::string ask(Realm realm, const http::Headers& headers = {}) {
    const auto authentication = Authentication::load(flags_);
    if (!authentication) return authentication.error().message;
    const auto principal = authentication->authenticate(realm, headers);
    if (!principal) return "";
    return *principal ? (*principal)->to_string() : "?";
  }

  std::string refusal() {
    const auto authentication = Authentication::load(flags_);
    return authentication ? "accepted" : authentication.error().message;
  }

  const tests::ScratchDirectory scratch_;
  Flags flags_;
  const http::Headers password_ = {{"Authorization", "Basic YW5uOnB3"}};
  const http::Headers token_ = {
      {"Authorization", "Bearer " + http::make_jwt({{"cid", "c"}}, kKey)}};
};

TEST_F(AuthenticationTest, OnlyRealmsThatAreToBeAskedAre) {
  flags_.authenticate_http_readonly = true;
  EXPECT_EQ("", ask(Realm::kReadonly));
  EXPECT_EQ("ann", ask(Realm::kReadonly, password_));
  for (const Realm realm : {Realm::kNone, Realm::kReadwrite, Realm::kExecutor}) {
    EXPECT_EQ("?", ask(realm));
    EXPECT_EQ("?", ask(realm, password_));
  }
}

TEST_F(AuthenticationTest, SchemesByDefault) {
  flags_.authenticate_http_readwrite = true;
  EXPECT_EQ("", ask(Realm::kReadwrite, token_));
  flags_.authenticate_http_executors = true;
  EXPECT_EQ("{cid:c}", ask(Realm::kReadwrite, token_));
  EXPECT_EQ("{cid:c}", ask(Realm::kExecutor, token_));
  EXPECT_EQ("ann", ask(Realm::kExecutor, password_));
}

TEST_F(AuthenticationTest, SchemesThatAreNamed) {
  flags_.authenticate_http_readwrite = true;
  flags_.http_authenticators = {"jwt"};
  flags_.http_credentials.reset();
  EXPECT_EQ("{cid:c}", ask(Realm::kReadwrite, token_));
  EXPECT_EQ("", ask(Realm::kReadwrite, password_));
}

TEST_F(AuthenticationTest, WhatIsMissingIsTold) {
  flags_.authenticate_http_readwrite = true;
  flags_.http_credentials.reset();
  EXPECT_THAT(refusal(), HasSubstr("'basic' needs --http_credentials"));
  flags_.http_authenticators = {"jwt"};
  EXPECT_EQ("accepted", refusal());
  flags_.jwt_secret_key.reset();
  EXPECT_THAT(refusal(), HasSubstr("'jwt' needs --jwt_secret_key"));
  flags_.authenticate_http_executors = true;
  EXPECT_THAT(refusal(), HasSubstr("--authenticate_http_executors: executors show tokens"));
}

// As with Mesos: who asks executors only, and has no credentials, must say that tokens are enough.
TEST_F(AuthenticationTest, ExecutorsAloneNeedASchemeThatIsNamed) {
  flags_.authenticate_http_executors = true;
  flags_.http_credentials.reset();
  EXPECT_THAT(refusal(), HasSubstr("'basic' needs --http_credentials, which is not given; to ask "
                                   "for tokens only: --http_authenticators=jwt"));
  flags_.http_authenticators = {"jwt"};
  EXPECT_EQ("{cid:c}", ask(Realm::kExecutor, token_));
}

// Also if nobody is asked yet.
TEST_F(AuthenticationTest, BadFilesAreTold) {
  EXPECT_EQ("accepted", refusal());
  flags_.jwt_secret_key = SecretFile{scratch_ / "empty"};
  EXPECT_THAT(refusal(), HasSubstr("there is no key in it"));
  flags_.jwt_secret_key = SecretFile{scratch_ / "none"};
  EXPECT_THAT(refusal(), HasSubstr("none' cannot be read: No such file or directory"));
  flags_.http_credentials = SecretFile{scratch_ / "."};
  EXPECT_THAT(refusal(), HasSubstr("is not a file"));
  flags_.http_credentials = SecretFile{scratch_ / "empty"};
  EXPECT_THAT(refusal(), HasSubstr("there is nothing in it"));
}

}  // namespace
