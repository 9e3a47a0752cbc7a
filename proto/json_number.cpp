#include "proto/json_number.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

namespace proto {
namespace {

template <typename T>
bool parse_whole(std::string_view text, T* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

JsonNumber JsonNumber::parse(std::string_view text) {
  using Value = std::variant<int64_t, uint64_t, double>;
  if (int64_t value; parse_whole(text, &value)) return JsonNumber(Value(value));
  if (uint64_t value; parse_whole(text, &value)) return JsonNumber(Value(value));
  if (double value; parse_whole(text, &value)) return JsonNumber(value);
  // Too large or too small for a double: from_chars does not say which, strtod does.
  return JsonNumber(std::strtod(std::string(text).c_str(), nullptr));
}

uint64_t JsonNumber::to_bits(double value) {
  const double rest = std::fmod(std::trunc(value), 0x1p64);
  if (std::isnan(rest)) return 0;
  return rest < 0 ? -static_cast<uint64_t>(-rest) : static_cast<uint64_t>(rest);
}

void append_json_number(double value, std::string* out) {
  if (std::isnan(value)) value = 0;
  if (std::isinf(value)) {
    out->append(value < 0 ? "\"-Infinity\"" : "\"Infinity\"");
    return;
  }
  if (std::signbit(value)) out->push_back('-');

  // "d.ddde±xx" holds the digits; where the decimal point goes is decided here.
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), std::fabs(value),
                                          std::chars_format::scientific);
  const char* const e = std::find(buffer, end, 'e');
  int exponent = 0;
  std::from_chars(e[1] == '+' ? e + 2 : e + 1, end, exponent);
  buffer[1] = buffer[0];  // over the point, if there is one
  const std::string_view digits =
      e - buffer > 1 ? std::string_view(buffer + 1, e) : std::string_view(buffer, 1);
  const int count = static_cast<int>(digits.size());
  const int point = exponent + 1;  // the value is 0.digits × 10^point

  if (count <= point && point <= 21) {
    out->append(digits).append(point - count, '0').append(".0");
  } else if (0 < point && point <= 21) {
    out->append(digits.substr(0, point)).append(".").append(digits.substr(point));
  } else if (-6 < point && point <= 0) {
    out->append("0.").append(-point, '0').append(digits);
  } else {
    out->push_back(digits[0]);
    if (count > 1) out->append(".").append(digits.substr(1));
    out->append("e").append(std::to_string(exponent));
  }
}

}  // namespace proto
