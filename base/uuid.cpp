#include "base/uuid.h"

#include <sys/random.h>

#include <cstdint>
#include <cstdlib>

namespace base {

namespace {

constexpr size_t kSize = 16;

// Between which bytes the text has a dash.
constexpr bool dash_before(size_t i) { return i == 4 || i == 6 || i == 8 || i == 10; }

std::optional<uint8_t> digit_value(char c) {
  if (c >= '0' && c <= '9') return static_cast<uint8_t>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<uint8_t>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<uint8_t>(c - 'A' + 10);
  return std::nullopt;
}

}  // namespace

std::string make_uuid_bytes() {
  std::string bytes(kSize, '\0');
  // So few bytes are never cut short, and the source is there from early boot on.
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) std::abort();
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);  // version 4
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);  // the variant of RFC 9562
  return bytes;
}

std::string make_uuid() { return *uuid_to_text(make_uuid_bytes()); }

std::optional<std::string> uuid_to_text(std::string_view bytes) {
  if (bytes.size() != kSize) return std::nullopt;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (size_t i = 0; i < kSize; ++i) {
    if (dash_before(i)) text += '-';
    text += kDigits[static_cast<uint8_t>(bytes[i]) >> 4];
    text += kDigits[bytes[i] & 15];
  }
  return text;
}

std::optional<std::string> uuid_to_bytes(std::string_view text) {
  std::string bytes;
  for (size_t i = 0; i < kSize; ++i) {
    if (dash_before(i)) {
      if (!text.starts_with('-')) return std::nullopt;
      text.remove_prefix(1);
    }
    if (text.size() < 2) return std::nullopt;
    const auto high = digit_value(text[0]);
    const auto low = digit_value(text[1]);
    if (!high || !low) return std::nullopt;
    bytes += static_cast<char>(*high << 4 | *low);
    text.remove_prefix(2);
  }
  if (!text.empty()) return std::nullopt;
  return bytes;
}

}  // namespace base
