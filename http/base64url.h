// Base64 with the alphabet for URLs (RFC 4648 §5), without padding: how the parts of a JSON Web
// Token are written.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace http {

std::string encode_base64url(std::string_view bytes);

// Strict, so that each text has one form only: nothing if there is a character outside of the
// alphabet, padding, a length that no bytes have, or bits that are left over and not zero.
std::optional<std::string> decode_base64url(std::string_view text);

}  // namespace http
