// Random names.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace base {

// A random (version 4) UUID: "9b2f9a53-6a0e-4f0b-8f59-b8d20ea0b1a4".
std::string make_uuid();

// The same as 16 bytes, which is how messages carry it.
std::string make_uuid_bytes();

// 16 bytes as text, and text as 16 bytes; nothing if that is no UUID.
std::optional<std::string> uuid_to_text(std::string_view bytes);
std::optional<std::string> uuid_to_bytes(std::string_view text);

}  // namespace base
