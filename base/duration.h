// Durations as Apache Mesos writes them in flags and replies: "15mins", "1.5secs", "0ns".
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.h"

namespace base {

// A number, with a fraction if need be, directly followed by one unit of: ns us ms secs mins hrs
// days weeks. The unit is a must, and there is no sign, no blank and no second unit. What is
// finer than a nanosecond is cut off. kInvalid for anything else and for what does not fit in 63
// bits of nanoseconds (292 years).
Result<std::chrono::nanoseconds> parse_duration(std::string_view text);

// With the largest unit that makes it a whole number: 90 s is "90secs", 1.5 s is "1500ms", nothing
// is "0ns". parse_duration reads it back, unless it is negative.
std::string to_string(std::chrono::nanoseconds duration);

}  // namespace base
