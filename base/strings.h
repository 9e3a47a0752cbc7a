// Small string work: concat, split, trim, parse_number.
#pragma once

#include <algorithm>
#include <charconv>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace base {

namespace internal {

inline void append_piece(std::string& out, std::string_view text) { out += text; }
inline void append_piece(std::string& out, char c) { out += c; }
template <std::integral T>
  requires(!std::same_as<T, char> && !std::same_as<T, bool>)
void append_piece(std::string& out, T number) {
  char buffer[24];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), number).ptr);
}

constexpr char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

}  // namespace internal

// The pieces (text, characters, integers) one after the other.
template <typename... Pieces>
std::string concat(const Pieces&... pieces) {
  std::string out;
  (internal::append_piece(out, pieces), ...);
  return out;
}

// The parts between separators; an empty text has no parts, an empty part is kept.
inline std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) break;
    text.remove_prefix(at + 1);
    if (text.empty()) parts.push_back(text);
  }
  return parts;
}

// Without blanks, tabs and line ends on both sides.
inline std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

// ASCII letters only, whatever the locale.
inline std::string to_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = internal::lower_case(c);
  return lower;
}

// As to_lower, without the copies.
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, internal::lower_case, internal::lower_case);
}

// The whole text as a number in `radix`; nothing if it is not exactly that (no blank, no "+", no
// "0x") or does not fit in T.
template <std::integral T>
std::optional<T> parse_number(std::string_view text, int radix = 10) {
  T value{};
  const char* end = text.data() + text.size();
  auto [at, code] = std::from_chars(text.data(), end, value, radix);
  if (code != std::errc() || at != end || text.empty()) return std::nullopt;
  return value;
}

}  // namespace base
