// Random names.
#pragma once

#include <string>

namespace base {

// A random (version 4) UUID: "9b2f9a53-6a0e-4f0b-8f59-b8d20ea0b1a4".
std::string make_uuid();

// The same as its 16 bytes.
std::string make_uuid_bytes();

}  // namespace base
