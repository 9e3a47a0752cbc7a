// Any Authorization header: whoever has neither a password nor the key is nobody, and the challenge
// is a header that can be sent. The first byte chooses whether the rest is the header, or a token
// that is signed, so that the fuzzer gets beyond the signature.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/authentication.h"
#include "http/base64url.h"

namespace {

constexpr std::string_view kKey = "the key of the fuzzer, which is not in its seeds";

void check(const std::string& header, bool may_succeed) {
  static const http::Authenticators kBoth{
      std::make_shared<http::BasicAuthenticator>(
          *http::Credentials::parse("principal the-secret-of-the-fuzzer-not-in-its-seeds")),
      std::make_shared<http::JwtAuthenticator>(std::string(kKey))};
  const auto result = http::authenticate(kBoth, {{"Authorization", header}}, "realm");
  if (result) {
    if (!may_succeed || result->claims.empty()) std::abort();
    return;
  }
  const std::string* challenge = result.error().headers.find("WWW-Authenticate");
  if (result.error().status != 401 || challenge == nullptr) std::abort();
  if (std::ranges::any_of(*challenge, [](unsigned char c) { return c < ' ' || c == 0x7f; })) {
    std::abort();
  }
}

// The first line is the header, the rest the payload.
std::string sign(std::string_view parts) {
  const size_t end = std::min(parts.find('\n'), parts.size());
  const std::string_view payload = parts.substr(std::min(end + 1, parts.size()));
  std::string token =
      http::encode_base64url(parts.substr(0, end)) + "." + http::encode_base64url(payload);
  const auto mac = http::hmac_sha256(kKey, token);
  const std::string_view bytes(reinterpret_cast<const char*>(mac.data()), mac.size());
  return token + "." + http::encode_base64url(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  if (input.starts_with('s')) {
    check("Bearer " + sign(input.substr(1)), true);
  } else if (!input.empty()) {
    check(std::string(input.substr(1)), false);
  }
  return 0;
}
