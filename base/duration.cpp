#include "base/duration.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ranges>
#include <utility>

#include "base/strings.h"

namespace base {
namespace {

struct Unit {
  std::string_view name;
  int64_t nanoseconds;
};

constexpr std::array<Unit, 8> kUnits = {{
    {"ns", 1},
    {"us", 1'000},
    {"ms", 1'000'000},
    {"secs", 1'000'000'000},
    {"mins", 60'000'000'000},
    {"hrs", 3'600'000'000'000},
    {"days", 86'400'000'000'000},
    {"weeks", 604'800'000'000'000},
}};

bool all_digits(std::string_view text) {
  return text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

Result<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  const auto malformed = [text] {
    return fail(ErrorKind::kInvalid,
                concat("'", text,
                       "' is not a duration: expected a number and one of the units ns, "
                       "us, ms, secs, mins, hrs, days, weeks, as in 15mins"));
  };
  const auto too_long = [text] {
    return fail(ErrorKind::kInvalid, concat("'", text, "' is too long for a duration"));
  };

  const size_t number_size = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, number_size);
  const std::string_view unit_name = text.substr(number_size);
  const auto unit = std::ranges::find(kUnits, unit_name, &Unit::name);
  if (unit == kUnits.end()) return malformed();

  const size_t point = std::min(number.find('.'), number.size());
  const std::string_view whole = number.substr(0, point);
  const std::string_view fraction = number.substr(std::min(point + 1, number.size()));
  if ((whole.empty() && fraction.empty()) || !all_digits(fraction)) return malformed();

  int64_t count = 0;
  if (!whole.empty()) {
    const auto units = parse_number<int64_t>(whole);
    if (!units || __builtin_mul_overflow(*units, unit->nanoseconds, &count)) return too_long();
  }

  // Digit by digit from the last one, so that the result is exact: a double would make 0.1secs
  // and the like a nanosecond short.
  int64_t part = 0;
  for (const char digit : fraction | std::views::reverse) {
    part = (part + (digit - '0') * unit->nanoseconds) / 10;
  }
  if (__builtin_add_overflow(count, part, &count)) return too_long();
  return std::chrono::nanoseconds(count);
}

std::string to_string(std::chrono::nanoseconds duration) {
  const int64_t count = duration.count();
  if (count == 0) return "0ns";
  for (const Unit& unit : kUnits | std::views::reverse) {
    if (count % unit.nanoseconds == 0) return concat(count / unit.nanoseconds, unit.name);
  }
  std::unreachable();  // the smallest unit divides everything
}

}  // namespace base
