#include "proto/base64.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

namespace proto {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// Twelve bits at a time: half the look-ups of the usual table, and 8 KiB still stay in the cache.
using CharPair = std::array<char, 2>;
constexpr auto kPairs = [] {
  std::array<CharPair, 4096> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kAlphabet[i >> 6], kAlphabet[i & 63]};
  return pairs;
}();

constexpr uint8_t kNoDigit = 0xff;
constexpr auto kDigits = [] {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (size_t i = 0; i < kAlphabet.size(); ++i) digits[static_cast<uint8_t>(kAlphabet[i])] = i;
  return digits;
}();

// kShifted[n] holds each digit where the n-th of four belongs in 24 bits, so that a group is three
// ORs, and the top bit of the result tells whether all four were digits.
constexpr uint32_t kNoGroup = 0x8000'0000;
constexpr auto kShifted = [] {
  std::array<std::array<uint32_t, 256>, 4> shifted{};
  for (int place = 0; place < 4; ++place) {
    for (size_t c = 0; c < 256; ++c) {
      shifted[place][c] =
          kDigits[c] == kNoDigit ? kNoGroup : uint32_t{kDigits[c]} << (18 - 6 * place);
    }
  }
  return shifted;
}();

uint64_t load_big_endian(const char* from) {
  uint64_t value;
  std::memcpy(&value, from, sizeof(value));
  return std::endian::native == std::endian::little ? __builtin_bswap64(value) : value;
}

char* put_pair(char* to, uint64_t twelve_bits) {
  std::memcpy(to, kPairs[twelve_bits & 0xfff].data(), 2);
  return to + 2;
}

void encode(const char* from, size_t size, char* to) {
  // Six bytes make eight characters; eight are loaded, so eight must be left.
  for (; size >= 8; size -= 6, from += 6) {
    const uint64_t bits = load_big_endian(from);
    to = put_pair(to, bits >> 52);
    to = put_pair(to, bits >> 40);
    to = put_pair(to, bits >> 28);
    to = put_pair(to, bits >> 16);
  }
  auto byte = [&](size_t i) { return i < size ? uint32_t{static_cast<uint8_t>(from[i])} : 0u; };
  while (size > 0) {
    const uint32_t bits = byte(0) << 16 | byte(1) << 8 | byte(2);
    to = put_pair(to, bits >> 12);
    to = put_pair(to, bits);
    if (size < 3) {
      to[-1] = '=';
      if (size == 1) to[-2] = '=';
      return;
    }
    size -= 3;
    from += 3;
  }
}

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

}  // namespace

void append_base64(std::string_view bytes, std::string* out) {
  const size_t before = out->size();
  const size_t after = before + (bytes.size() + 2) / 3 * 4;
  // libstdc++ 12 passes the new capacity where the standard has the size that was asked for.
  out->resize_and_overwrite(after, [&](char* data, size_t) {
    encode(bytes.data(), bytes.size(), data + before);
    return after;
  });
}

base::Result<std::string> decode_base64(std::string_view text) {
  std::string out;
  const char* bad = nullptr;
  // The fourth byte of slack lets whole words be stored where three bytes are meant.
  out.resize_and_overwrite(text.size() / 4 * 3 + 4, [&](char* const data, size_t) {
    const char* from = text.data();
    const char* const end = from + text.size();
    char* to = data;
    for (; end - from >= 4; from += 4, to += 3) {
      auto digit = [&](int place) { return kShifted[place][static_cast<uint8_t>(from[place])]; };
      const uint32_t group = digit(0) | digit(1) | digit(2) | digit(3);
      if (group & kNoGroup) break;
      const char bytes[4] = {static_cast<char>(group >> 16), static_cast<char>(group >> 8),
                             static_cast<char>(group), 0};
      std::memcpy(to, bytes, sizeof(bytes));
    }
    // The last group, or everything from the first character on that is no digit.
    uint32_t bits = 0;
    int count = 0;
    for (; from != end && *from != '='; ++from) {
      if (is_space(*from)) continue;
      const uint8_t digit = kDigits[static_cast<uint8_t>(*from)];
      if (digit == kNoDigit) {
        bad = from;
        return size_t{0};
      }
      bits = bits << 6 | digit;
      count += 6;
      if (count >= 8) {
        count -= 8;
        *to++ = static_cast<char>(bits >> count);
      }
    }
    return static_cast<size_t>(to - data);
  });
  if (bad) {
    return base::fail(base::ErrorKind::kInvalid, std::string("Invalid character '") + *bad + "'");
  }
  return out;
}

}  // namespace proto
