#include "agent/authentication.h"

#include <glog/logging.h>

#include <algorithm>

#include "agent/secret_file.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

Result<std::shared_ptr<const http::Authenticator>> load_basic(const SecretFile& file) {
  TRY(const std::string text, read_secret_file("http_credentials", file.path));
  auto credentials = http::Credentials::parse(text);
  if (!credentials) {
    return fail(ErrorKind::kInvalid,
                concat("--http_credentials: '", file.path, "': ", credentials.error().message));
  }
  return std::make_shared<http::BasicAuthenticator>(*std::move(credentials));
}

Result<std::string> load_token_key(const SecretFile& file) {
  TRY(std::string key, read_secret_file("jwt_secret_key", file.path));
  if (key.empty()) {
    return fail(ErrorKind::kInvalid,
                concat("--jwt_secret_key: '", file.path, "': there is no key in it"));
  }
  return key;
}

}  // namespace

std::string_view name_of(Realm realm) {
  switch (realm) {
    case Realm::kReadonly:
      return "mesos-agent-readonly";
    case Realm::kReadwrite:
      return "mesos-agent-readwrite";
    case Realm::kExecutor:
      return "mesos-agent-executor";
    case Realm::kNone:
      break;
  }
  return "";
}

Result<Authentication> Authentication::load(const Flags& flags) {
  // Files are looked at even if they are not needed yet: a broken one is told at once.
  std::shared_ptr<const http::Authenticator> basic;
  std::shared_ptr<const http::Authenticator> jwt;
  std::optional<std::string> token_key;
  if (flags.http_credentials) {
    TRY(basic, load_basic(*flags.http_credentials));
  }
  if (flags.jwt_secret_key) {
    TRY(token_key, load_token_key(*flags.jwt_secret_key));
    jwt = std::make_shared<http::JwtAuthenticator>(*token_key);
  }
  if (flags.authenticate_http_executors && jwt == nullptr) {
    return fail(ErrorKind::kInvalid,
                "--authenticate_http_executors: executors show tokens, and --jwt_secret_key must "
                "name the key that signs them");
  }
  const struct {
    bool asked;
    Realm realm;
  } kRealms[] = {{flags.authenticate_http_readonly, Realm::kReadonly},
                 {flags.authenticate_http_readwrite, Realm::kReadwrite},
                 {flags.authenticate_http_executors, Realm::kExecutor}};
  Authentication authentication;
  authentication.token_key_ = std::move(token_key);
  if (std::ranges::none_of(kRealms, [](const auto& row) { return row.asked; })) {
    if (basic != nullptr) {
      LOG(WARNING) << "--http_credentials: nobody is asked for them without "
                      "--authenticate_http_readonly or --authenticate_http_readwrite";
    }
    return authentication;
  }

  std::vector<std::string> names = {"basic"};
  if (flags.authenticate_http_executors) names.emplace_back("jwt");
  http::Authenticators authenticators;
  for (const std::string& name : flags.http_authenticators.value_or(names)) {
    const auto& authenticator = name == "basic" ? basic : jwt;
    if (authenticator == nullptr) {
      const std::string_view missing = name == "basic" ? "http_credentials" : "jwt_secret_key";
      // As with Mesos, which asks all realms in the same ways.
      const bool by_default = !flags.http_authenticators && jwt != nullptr;
      return fail(
          ErrorKind::kInvalid,
          concat("--http_authenticators: '", name, "' needs --", missing, ", which is not given",
                 by_default ? "; to ask for tokens only: --http_authenticators=jwt" : ""));
    }
    authenticators.push_back(authenticator);
  }
  for (const auto& [asked, realm] : kRealms) {
    if (asked) authentication.require(realm, authenticators);
  }
  return authentication;
}

void Authentication::require(Realm realm, http::Authenticators authenticators) {
  realms_[realm] = std::move(authenticators);
}

std::expected<std::optional<http::Principal>, http::Response> Authentication::authenticate(
    Realm realm, const http::Headers& headers) const {
  const auto authenticators = realms_.find(realm);
  if (authenticators == realms_.end()) return std::nullopt;
  auto principal = http::authenticate(authenticators->second, headers, name_of(realm));
  if (!principal) return std::unexpected(std::move(principal).error());
  return *std::move(principal);
}

}  // namespace agent
