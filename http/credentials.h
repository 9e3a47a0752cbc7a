// The file of principals and their secrets that HTTP Basic authentication checks against.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "http/hmac.h"

namespace http {

// Keeps no secret, only a keyed digest of each: whoever comes to read the agent's memory, a core
// dump included, has no use for it elsewhere.
class Credentials {
 public:
  // Two forms: {"credentials":[{"principal":"p","secret":"s"},...]}, or lines "p s". Of a principal
  // that occurs twice, the last secret counts. kInvalid, with a reason that quotes no secret, if it
  // is neither or has none.
  static base::Result<Credentials> parse(std::string_view text);

  // Takes as long for an unknown principal as for a wrong secret.
  bool match(std::string_view principal, std::string_view secret) const;

  size_t size() const { return digests_.size(); }

 private:
  Credentials() : key_(random_bytes(32)), no_digest_(hmac_sha256(key_, random_bytes(32))) {}

  base::Status parse_json(std::string_view text);
  base::Status parse_lines(std::string_view text);
  void add(std::string_view principal, std::string_view secret);

  std::string key_;
  Sha256Mac no_digest_;  // of no secret
  std::map<std::string, Sha256Mac, std::less<>> digests_;
};

}  // namespace http
