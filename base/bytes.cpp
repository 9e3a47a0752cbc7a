#include "base/bytes.h"

#include <algorithm>
#include <array>
#include <ranges>
#include <utility>

#include "base/strings.h"

namespace base {
namespace {

struct Unit {
  std::string_view name;
  int shift;
};

constexpr std::array<Unit, 5> kUnits = {{
    {"B", 0},
    {"KB", 10},
    {"MB", 20},
    {"GB", 30},
    {"TB", 40},
}};

}  // namespace

Result<Bytes> parse_bytes(std::string_view text) {
  const size_t number_size = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view number = text.substr(0, number_size);
  const std::string_view unit_name = text.substr(number_size);
  const auto unit = std::ranges::find_if(
      kUnits, [unit_name](const Unit& u) { return equals_ignoring_case(u.name, unit_name); });
  if (number.empty() || unit == kUnits.end()) {
    return fail(ErrorKind::kInvalid,
                concat("'", text,
                       "' is not a number of bytes: expected a whole number and one of "
                       "the units B, KB, MB, GB, TB, as in 64MB"));
  }
  const auto count = parse_number<uint64_t>(number);
  if (!count || (*count << unit->shift) >> unit->shift != *count) {
    return fail(ErrorKind::kInvalid, concat("'", text, "' is too large for a number of bytes"));
  }
  return Bytes(*count << unit->shift);
}

std::string to_string(Bytes bytes) {
  if (bytes == Bytes(0)) return "0B";
  for (const Unit& unit : kUnits | std::views::reverse) {
    const uint64_t rounded = bytes.count() >> unit.shift;
    if (rounded << unit.shift == bytes.count()) return concat(rounded, unit.name);
  }
  std::unreachable();  // the smallest unit divides everything
}

}  // namespace base
