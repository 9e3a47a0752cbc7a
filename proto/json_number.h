// Numbers of JSON: read with the type that their text suggests, converted to a field's type as
// Apache Mesos converts them, and written as it writes them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace proto {

class JsonNumber {
 public:
  // text must obey JSON's grammar of numbers. Whole numbers in the range of int64 or uint64 are
  // kept exactly, everything else is the nearest double; ±infinity where none is near.
  static JsonNumber parse(std::string_view text);

  explicit JsonNumber(double value) : value_(value) {}

  // The conversion of C, made defined for all values: towards an integer the fraction is cut off
  // and what is left is taken modulo 2^bits, so -1 is the largest value of an unsigned type.
  template <typename T>
  T as() const {
    return std::visit(
        []<typename V>(V value) {
          if constexpr (std::is_floating_point_v<V> && std::is_integral_v<T>) {
            return static_cast<T>(to_bits(value));
          } else {
            return static_cast<T>(value);
          }
        },
        value_);
  }

 private:
  explicit JsonNumber(std::variant<int64_t, uint64_t, double> value) : value_(value) {}

  // The whole part of value modulo 2^64; 0 for what has none.
  static uint64_t to_bits(double value);

  std::variant<int64_t, uint64_t, double> value_;
};

// Appends the shortest text that reads back as value. Whole numbers keep a ".0"; from 1e21 on and
// below 1e-6 there is an exponent ("1e21", "1.5e-7"). JSON has no infinities: they become the
// strings "Infinity" and "-Infinity", which parse_json() takes back. NaN becomes 0.0.
void append_json_number(double value, std::string* out);

}  // namespace proto
