// Amounts of memory and disk, and how Apache Mesos writes them: "64MB", units by powers of 1024.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

// A number of bytes that cannot be taken for another number. Arithmetic is left to count().
class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr explicit Bytes(uint64_t count) : count_(count) {}

  constexpr uint64_t count() const { return count_; }

  constexpr auto operator<=>(const Bytes&) const = default;

 private:
  uint64_t count_ = 0;
};

namespace literals {

constexpr Bytes operator""_B(unsigned long long n) { return Bytes(n); }
constexpr Bytes operator""_KB(unsigned long long n) { return Bytes(n << 10); }
constexpr Bytes operator""_MB(unsigned long long n) { return Bytes(n << 20); }
constexpr Bytes operator""_GB(unsigned long long n) { return Bytes(n << 30); }
constexpr Bytes operator""_TB(unsigned long long n) { return Bytes(n << 40); }

}  // namespace literals

// A whole number directly followed by one unit of B, KB, MB, GB, TB in any case. The unit is a
// must; a fraction, a sign and blanks are refused, as is what does not fit in 64 bits: kInvalid.
Result<Bytes> parse_bytes(std::string_view text);

// With the largest unit that makes it a whole number: 2 GiB is "2GB", 1536 is "1536B", nothing is
// "0B". parse_bytes reads it back.
std::string to_string(Bytes bytes);

}  // namespace base
