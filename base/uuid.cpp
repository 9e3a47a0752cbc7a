#include "base/uuid.h"

#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

namespace base {

std::string make_uuid_bytes() {
  std::string bytes(16, 0);
  // So few bytes are never cut short, and the source is there from early boot on.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);  // version 4
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);  // the variant of RFC 9562
  return bytes;
}

std::string make_uuid() {
  const std::string bytes = make_uuid_bytes();
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    const auto byte = static_cast<uint8_t>(bytes[i]);
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

}  // namespace base
