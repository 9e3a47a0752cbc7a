// HMAC-SHA256, by OpenSSL, and comparing without telling by the time it takes.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

namespace http {

using Sha256Mac = std::array<unsigned char, 32>;

// Of `data`, under `key`.
Sha256Mac hmac_sha256(std::string_view key, std::string_view data);

// Whether they are the same. How long that takes does not depend on where they differ, only on
// their lengths, which therefore must not be secret.
bool equal_in_constant_time(std::string_view a, std::string_view b);

// So many bytes that nobody can guess. Ends the process if the kernel has none to give.
std::string random_bytes(size_t count);

}  // namespace http
