// JSON Web Tokens (RFC 7519) signed with HMAC-SHA256: the one form that the agent gives to
// executors and takes from them.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace http {

// What a token says of its holder, by name. A value that is no string is its JSON text.
using Claims = std::map<std::string, std::string>;

// The token that says so; every claim is written as a string, in the order of their names.
std::string make_jwt(const Claims& claims, std::string_view key);

// The claims of a token: all members of its payload, which may be none. kInvalid, with a reason
// that quotes nothing of the token, if it was not signed with HS256 and this key, if it is not
// exactly three parts in base64url, if its header has "crit" or its "exp" is past at `now`. No
// other registered claim is looked at.
base::Result<Claims> verify_jwt(std::string_view token, std::string_view key,
                                std::chrono::system_clock::time_point now);

}  // namespace http
