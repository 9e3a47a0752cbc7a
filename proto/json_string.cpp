#include "proto/json_string.h"

#include <array>
#include <cstdint>

namespace proto {

namespace {

// What stands after the backslash: 0 for nothing, as the byte needs none, 'u' for \u00XX.
constexpr auto kEscapes = [] {
  std::array<char, 256> escapes{};
  for (int c = 0; c < 0x20; ++c) escapes[c] = 'u';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  return escapes;
}();

}  // namespace

void append_json_string(std::string_view text, std::string* out) {
  constexpr char kHexDigits[] = "0123456789ABCDEF";
  out->push_back('"');
  size_t copied = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<uint8_t>(text[i]);
    const char escape = kEscapes[byte];
    if (escape == 0) continue;
    out->append(text.substr(copied, i - copied));
    copied = i + 1;
    out->push_back('\\');
    out->push_back(escape);
    if (escape == 'u') {
      out->append("00");
      out->push_back(kHexDigits[byte >> 4]);
      out->push_back(kHexDigits[byte & 15]);
    }
  }
  out->append(text.substr(copied));
  out->push_back('"');
}

}  // namespace proto
