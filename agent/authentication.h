// Which requests must say who sends them, and how that is found out: what the flags want of
// http/authentication.h.
#pragma once

#include <expected>
#include <map>
#include <optional>
#include <string_view>

#include "agent/flags.h"
#include "http/authentication.h"

namespace agent {

// Endpoints that are protected together, under one name in challenges.
enum class Realm {
  kNone,       // never asked
  kReadonly,   // mesos-agent-readonly
  kReadwrite,  // mesos-agent-readwrite
  kExecutor,   // mesos-agent-executor
};

std::string_view name_of(Realm realm);

class Authentication {
 public:
  // Nobody is asked.
  Authentication() = default;

  // Reads the files that the flags name. kInvalid, with a sentence that names the flag and quotes
  // no secret. Logs a warning for a file that others than its owner and group can read.
  static base::Result<Authentication> load(const Flags& flags);

  // What signs the tokens of executors (--jwt_secret_key).
  const std::optional<std::string>& token_key() const { return token_key_; }

  void require(Realm realm, http::Authenticators authenticators);

  // Who sends the request; nobody in particular where nobody is asked, whatever the headers say. Or
  // the response that asks for a better answer.
  std::expected<std::optional<http::Principal>, http::Response> authenticate(
      Realm realm, const http::Headers& headers) const;

 private:
  std::map<Realm, http::Authenticators> realms_;
  std::optional<std::string> token_key_;
};

}  // namespace agent
