#include "agent/value_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"

namespace agent {
namespace {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using mesos::v1::Value;

std::string without_blanks(std::string_view text) {
  std::string result;
  for (const char c : text) {
    if (base::trim({&c, 1}).empty()) continue;
    result += c;
  }
  return result;
}

// What stands between the first and the last character, if those are the given ones.
std::optional<std::string_view> between(std::string_view text, char open, char close) {
  if (text.size() < 2 || text.front() != open || text.back() != close) return std::nullopt;
  return text.substr(1, text.size() - 2);
}

Result<Value> parse_ranges(std::string_view text) {
  const auto malformed = [text] {
    return fail(ErrorKind::kInvalid,
                concat("expected ranges of integers, as in [1-5,8-9], not '", text, "'"));
  };
  const auto inside = between(text, '[', ']');
  if (!inside) return malformed();
  Value value;
  value.set_type(Value::RANGES);
  value.mutable_ranges();
  for (const std::string_view part : base::split(*inside, ',')) {
    const size_t dash = std::min(part.find('-'), part.size());
    const auto begin = base::parse_number<uint64_t>(part.substr(0, dash));
    const auto end = base::parse_number<uint64_t>(part.substr(std::min(dash + 1, part.size())));
    if (!begin || !end || *begin > *end) return malformed();
    Value::Range& range = *value.mutable_ranges()->add_range();
    range.set_begin(*begin);
    range.set_end(*end);
  }
  coalesce(*value.mutable_ranges());
  return value;
}

Result<Value> parse_set(std::string_view text) {
  const auto inside = between(text, '{', '}');
  if (!inside) {
    return fail(ErrorKind::kInvalid, concat("expected a set, as in {a,b}, not '", text, "'"));
  }
  Value value;
  value.set_type(Value::SET);
  value.mutable_set();
  for (const std::string_view item : base::split(*inside, ',')) {
    if (item.empty()) {
      return fail(ErrorKind::kInvalid,
                  concat("expected a set without empty items, not '", text, "'"));
    }
    value.mutable_set()->add_item(std::string(item));
  }
  return value;
}

std::optional<double> parse_finite(std::string_view text) {
  double number = 0;
  const char* end = text.data() + text.size();
  const auto [at, code] = std::from_chars(text.data(), end, number);
  if (code != std::errc() || at != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

}  // namespace

Result<Value> parse_value(std::string_view given) {
  const std::string text = without_blanks(given);
  if (text.starts_with('[')) return parse_ranges(text);
  if (text.starts_with('{')) return parse_set(text);
  Value value;
  if (const auto number = parse_finite(text)) {
    value.set_type(Value::SCALAR);
    value.mutable_scalar()->set_value(round_scalar(*number));
  } else {
    value.set_type(Value::TEXT);
    value.mutable_text()->set_value(text);
  }
  return value;
}

double round_scalar(double value) {
  // From here on a double has no three decimals to round to.
  constexpr double kNoFractions = 1e13;
  if (std::abs(value) >= kNoFractions) return value;
  return std::round(value * 1000) / 1000;
}

void coalesce(Value::Ranges& ranges) {
  auto& all = *ranges.mutable_range();
  std::ranges::sort(all.pointer_begin(), all.pointer_end(), {}, [](const Value::Range* range) {
    return std::pair(range->begin(), range->end());
  });
  int kept = 0;
  for (const Value::Range& range : all) {
    if (kept > 0) {
      Value::Range& last = all[kept - 1];
      const bool touches =
          last.end() == std::numeric_limits<uint64_t>::max() || range.begin() <= last.end() + 1;
      if (touches) {
        last.set_end(std::max(last.end(), range.end()));
        continue;
      }
    }
    all[kept++] = range;
  }
  all.DeleteSubrange(kept, all.size() - kept);
}

}  // namespace agent
