#include "http/jwt.h"

#include <array>
#include <charconv>
#include <optional>

#include "base/strings.h"
#include "http/base64url.h"
#include "http/hmac.h"
#include "proto/json_tree.h"

namespace http {

using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using proto::Json;
using Type = proto::Json::Type;

namespace {

// A token is a header of a request; longer ones are not worth the work of looking at them.
constexpr size_t kMaxSize = 16384;

constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";

std::string_view view(const Sha256Mac& mac) {
  return {reinterpret_cast<const char*>(mac.data()), mac.size()};
}

// The three parts between the dots.
std::optional<std::array<std::string_view, 3>> split_token(std::string_view token) {
  const size_t first = token.find('.');
  const size_t last = token.rfind('.');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  const std::string_view middle = token.substr(first + 1, last - first - 1);
  if (middle.find('.') != std::string_view::npos) return std::nullopt;
  return std::array{token.substr(0, first), middle, token.substr(last + 1)};
}

// A part of a token, as a JSON object. `name` is for the reason why it is none.
Result<Json> parse_part(std::string_view part, std::string_view name) {
  const auto text = decode_base64url(part);
  if (!text) return fail(ErrorKind::kInvalid, base::concat("The ", name, " is not base64url"));
  auto object = proto::parse_json_tree(*text);
  if (!object || !object->is(Type::kObject)) {
    return fail(ErrorKind::kInvalid, base::concat("The ", name, " is not a JSON object"));
  }
  return object;
}

Status check_header(const Json& header) {
  const Json* algorithm = header.find("alg");
  if (algorithm == nullptr || !algorithm->is(Type::kString)) {
    return fail(ErrorKind::kInvalid, "The header has no algorithm");
  }
  if (algorithm->text != "HS256") {
    return fail(ErrorKind::kInvalid, "The algorithm is not HS256");
  }
  const Json* type = header.find("typ");
  if (type != nullptr && !type->is(Type::kString)) {
    return fail(ErrorKind::kInvalid, "The type in the header is not a string");
  }
  // Whoever writes it wants the token refused by those who do not know what it lists.
  if (header.find("crit") != nullptr) {
    return fail(ErrorKind::kInvalid, "The header has critical extensions");
  }
  return {};
}

Status check_expiry(const Json& payload, std::chrono::system_clock::time_point now) {
  const Json* expiry = payload.find("exp");
  if (expiry == nullptr) return {};
  double seconds = 0;
  const std::string& text = expiry->text;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (!expiry->is(Type::kNumber) || read.ec != std::errc()) {
    return fail(ErrorKind::kInvalid, "The time of expiry is not a number");
  }
  if (seconds < std::chrono::duration<double>(now.time_since_epoch()).count()) {
    return fail(ErrorKind::kInvalid, "The token has expired");
  }
  return {};
}

}  // namespace

std::string make_jwt(const Claims& claims, std::string_view key) {
  Json payload{.type = Type::kObject};
  for (const auto& [name, value] : claims) {
    payload.items.push_back({.type = Type::kString, .name = name, .text = value});
  }
  std::string token =
      base::concat(encode_base64url(kHeader), ".", encode_base64url(payload.to_text()));
  token += base::concat(".", encode_base64url(view(hmac_sha256(key, token))));
  return token;
}

Result<Claims> verify_jwt(std::string_view token, std::string_view key,
                          std::chrono::system_clock::time_point now) {
  if (token.size() > kMaxSize) return fail(ErrorKind::kInvalid, "It is too long");
  const auto parts = split_token(token);
  if (!parts) return fail(ErrorKind::kInvalid, "Expected three parts with dots between them");
  const auto& [header_part, payload_part, signature_part] = *parts;

  TRY(const Json header, parse_part(header_part, "header"));
  TRY_VOID(check_header(header));
  const auto signature = decode_base64url(signature_part);
  if (!signature) return fail(ErrorKind::kInvalid, "The signature is not base64url");
  const auto mac = hmac_sha256(key, token.substr(0, token.rfind('.')));
  if (!equal_in_constant_time(view(mac), *signature)) {
    return fail(ErrorKind::kInvalid, "The signature is wrong");
  }

  // Whoever made it has the key. What it says may still be nonsense.
  TRY(const Json payload, parse_part(payload_part, "payload"));
  TRY_VOID(check_expiry(payload, now));
  Claims claims;
  for (const Json& member : payload.items) {
    claims.insert_or_assign(member.name, member.is(Type::kString) ? member.text : member.to_text());
  }
  return claims;
}

}  // namespace http
