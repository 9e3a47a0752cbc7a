#include "http/authentication.h"

#include <chrono>

#include "base/strings.h"
#include "proto/base64.h"

namespace http {

using base::concat;

namespace {

constexpr std::string_view kAuthorization = "Authorization";
constexpr std::string_view kChallenge = "WWW-Authenticate";

std::unexpected<Response> challenge(std::string_view text) {
  Response response = error_response(401);
  response.headers.set(kChallenge, text);
  return std::unexpected(std::move(response));
}

// As the parameter of a challenge has it: nothing in it ends the quotes.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '?' : c;
  }
  return out + '"';
}

// What the header holds if it is two words with one blank between them.
struct Words {
  std::string_view scheme;
  std::string_view rest;
};
std::optional<Words> split_header(std::string_view header) {
  const size_t blank = header.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const Words words{header.substr(0, blank), header.substr(blank + 1)};
  if (words.rest.find(' ') != std::string_view::npos) return std::nullopt;
  return words;
}

}  // namespace

std::string Principal::to_string() const {
  if (value) return *value;
  std::string text = "{";
  for (const auto& [name, claim] : claims) {
    text += concat(text.size() > 1 ? "," : "", name, ":", claim);
  }
  return text + "}";
}

Authenticated BasicAuthenticator::authenticate(const Headers& headers,
                                               std::string_view realm) const {
  const auto refuse = [realm] { return challenge(concat("Basic realm=", quoted(realm))); };
  const std::string* header = headers.find(kAuthorization);
  if (header == nullptr) return refuse();
  const auto words = split_header(*header);
  if (!words || words->scheme != "Basic") return refuse();
  const auto decoded = proto::decode_base64(words->rest);
  if (!decoded) return refuse();
  const std::string_view text = *decoded;
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos || text.find(':', colon + 1) != std::string_view::npos) {
    return refuse();
  }
  const std::string_view user = text.substr(0, colon);
  if (!credentials_.match(user, text.substr(colon + 1))) return refuse();
  return Principal{std::string(user), {}};
}

Authenticated JwtAuthenticator::authenticate(const Headers& headers, std::string_view realm) const {
  const std::string plain = concat("Bearer realm=", quoted(realm));
  const auto refuse = [&plain](std::string_view why) {
    return challenge(concat(plain, ", error=\"invalid_token\", error_description=", quoted(why)));
  };
  const std::string* header = headers.find(kAuthorization);
  // Who has not tried has made no error (RFC 6750, 3.1).
  if (header == nullptr) return challenge(plain);
  const auto words = split_header(*header);
  if (!words) return refuse("Malformed 'Authorization' header");
  if (words->scheme != "Bearer") return refuse(concat("Scheme '", words->scheme, "' unsupported"));
  auto claims = verify_jwt(words->rest, key_, std::chrono::system_clock::now());
  if (!claims) return refuse(concat("Invalid JWT: ", claims.error().message));
  if (claims->empty()) return refuse("JWT claims missing");
  return Principal{std::nullopt, *std::move(claims)};
}

Authenticated authenticate(const Authenticators& authenticators, const Headers& headers,
                           std::string_view realm) {
  std::string challenges;
  std::string bodies;
  for (const auto& authenticator : authenticators) {
    auto result = authenticator->authenticate(headers, realm);
    if (result || authenticators.size() == 1) return result;
    const std::string_view comma = challenges.empty() ? "" : ",";
    challenges += concat(comma, *result.error().headers.find(kChallenge));
    bodies += concat(bodies.empty() ? "" : "\n\n", quoted(authenticator->scheme()),
                     " authenticator returned:\n", result.error().body);
  }
  auto refusal = challenge(challenges);
  refusal.error().body = std::move(bodies);
  return refusal;
}

}  // namespace http
