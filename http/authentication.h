// Who sends a request: HTTP authentication by its Authorization header (RFC 7235, 7617, 6750), with
// the challenges and texts of Apache Mesos.
#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/credentials.h"
#include "http/headers.h"
#include "http/jwt.h"
#include "http/message.h"

namespace http {

// Who a request comes from: a user by name, or the holder of a token by what it claims.
struct Principal {
  std::optional<std::string> value;
  Claims claims;

  // As messages name it: "ann", or {cid:...,fid:...}.
  std::string to_string() const;
};

// The principal, or the response that asks for a better Authorization.
using Authenticated = std::expected<Principal, Response>;

// One scheme of authentication.
class Authenticator {
 public:
  virtual ~Authenticator() = default;
  // "Basic", as the header begins.
  virtual std::string_view scheme() const = 0;
  virtual Authenticated authenticate(const Headers& headers, std::string_view realm) const = 0;
};

// "Basic", one blank, base64 of "user:password"; as in Mesos, neither may have a colon in it.
class BasicAuthenticator : public Authenticator {
 public:
  explicit BasicAuthenticator(Credentials credentials) : credentials_(std::move(credentials)) {}
  std::string_view scheme() const override { return "Basic"; }
  Authenticated authenticate(const Headers& headers, std::string_view realm) const override;

 private:
  const Credentials credentials_;
};

// "Bearer", one blank, a token (http/jwt.h) with at least one claim.
class JwtAuthenticator : public Authenticator {
 public:
  explicit JwtAuthenticator(std::string key) : key_(std::move(key)) {}
  std::string_view scheme() const override { return "Bearer"; }
  Authenticated authenticate(const Headers& headers, std::string_view realm) const override;

 private:
  const std::string key_;
};

using Authenticators = std::vector<std::shared_ptr<const Authenticator>>;

// Asks each in turn; the first that knows the sender decides. If none does, the response has the
// challenges of all. There must be at least one.
Authenticated authenticate(const Authenticators& authenticators, const Headers& headers,
                           std::string_view realm);

}  // namespace http
