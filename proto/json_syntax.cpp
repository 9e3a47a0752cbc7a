#include "proto/json_syntax.h"

#include <algorithm>
#include <cstdint>

namespace proto {
namespace {

// How much of a text an error quotes. The text can have many megabytes in one line.
constexpr size_t kMaxQuote = 1024;

constexpr std::string_view kSpace = " \t\n\r";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";
constexpr std::string_view kNumberCharacters = "0123456789+-.eE";

bool is_special(char c) { return c == '"' || c == '\\' || static_cast<uint8_t>(c) < 0x20; }

// Marks the top bit of every byte of word that is special; above the lowest marked byte there may
// be false marks.
uint64_t mark_special(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101'0101'0101'0101;
  constexpr uint64_t kTops = kOnes << 7;
  const uint64_t quote = word ^ kOnes * '"';
  const uint64_t backslash = word ^ kOnes * '\\';
  return (((quote - kOnes) & ~quote) | ((backslash - kOnes) & ~backslash) |
          ((word - kOnes * 0x20) & ~word)) &
         kTops;
}

// Where the four digits of a \uXXXX end or cease to be digits; digits is the place of the first.
size_t skip_hex_quad(std::string_view text, size_t digits) {
  return std::min({text.find_first_not_of(kHexDigits, digits), digits + 4, text.size()});
}

// RapidJSON reports a bad escape where it begins, Mesos where it stopped making sense.
size_t end_of_bad_escape(std::string_view text, size_t begin) {
  if (text.substr(begin, 2) != "\\u") return begin + 2;
  size_t end = skip_hex_quad(text, begin + 2);
  if (end < begin + 6) return end;
  // Four good digits, so they were the first half of a surrogate pair: look at the second half.
  if (!text.substr(end).starts_with("\\")) return end;
  if (!text.substr(end).starts_with("\\u")) return end + 1;
  return skip_hex_quad(text, end + 2);
}

size_t place_of_error(std::string_view text, rapidjson::ParseErrorCode code, size_t offset) {
  switch (code) {
    case rapidjson::kParseErrorStringEscapeInvalid:
    case rapidjson::kParseErrorStringUnicodeEscapeInvalidHex:
    case rapidjson::kParseErrorStringUnicodeSurrogateInvalid:
      // Also reported for a bare control character, which is where it stands.
      return text.substr(offset).starts_with('\\') ? end_of_bad_escape(text, offset) : offset;
    case rapidjson::kParseErrorNumberMissFraction:
    case rapidjson::kParseErrorNumberMissExponent:
      return text.find_first_not_of(kNumberCharacters, offset);
    default:
      return offset;
  }
}

}  // namespace

const char* InPlaceText::find_special(const char* from, const char* end) {
  for (; end - from >= 8; from += 8) {
    uint64_t word;
    std::memcpy(&word, from, sizeof(word));
    if (mark_special(word)) break;
  }
  return std::find_if(from, end, is_special);
}

std::string describe_syntax_error(std::string_view text, rapidjson::ParseErrorCode code,
                                  size_t offset) {
  const size_t place = std::min(place_of_error(text, code, offset), text.size());
  const auto line = std::count(text.begin(), text.begin() + place, '\n') + 1;
  std::string error = "syntax error at line " + std::to_string(line) + " near: ";
  const std::string_view rest = text.substr(place, kMaxQuote);
  std::ranges::copy_if(rest.substr(0, rest.find('\n')), std::back_inserter(error),
                       [](char c) { return static_cast<uint8_t>(c) >= 0x20; });
  return error;
}

std::string check_rest(std::string_view rest) {
  const size_t last = rest.find_last_not_of(kSpace);
  if (last == std::string_view::npos) return "";
  return "Parsed JSON included non-whitespace trailing characters: " +
         std::string(rest.substr(0, std::min(last + 1, kMaxQuote)));
}

}  // namespace proto
