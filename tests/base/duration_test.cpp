#include "base/duration.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace {

using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr nanoseconds kLongest = nanoseconds::max();

TEST(Duration, parses) {
  const std::vector<std::pair<std::string, nanoseconds>> cases = {
      {"0ns", 0ns},
      {"7ns", 7ns},
      {"7us", 7us},
      {"7ms", 7ms},
      {"7secs", 7s},
      {"15mins", 15min},
      {"6hrs", 6h},
      {"2days", 48h},
      {"1weeks", 168h},
      {"007secs", 7s},
      {"1.5secs", 1500ms},
      {"0.1secs", 100ms},
      {"0.3weeks", 181440s},
      {".5secs", 500ms},
      {"5.secs", 5s},
      {"1.9ns", 1ns},
      {"0.0000000019secs", 1ns},
      {"0.99999999999999999999999999999999secs", 999999999ns},
      {"9223372036854775807ns", kLongest},
      {"9223372036.854775807secs", kLongest},
  };
  for (const auto& [text, expected] : cases) {
    const auto parsed = base::parse_duration(text);
    ASSERT_TRUE(parsed.has_value()) << text << ": " << parsed.error().message;
    EXPECT_EQ(*parsed, expected) << text;
  }
}

TEST(Duration, refuses) {
  const std::vector<std::string> cases = {
      "",
      "5",
      "secs",
      "5m",
      "1h",
      "10s",
      "5sec",
      "5 secs",
      " 5secs",
      "5secs ",
      "5secs\n",
      "-5secs",
      "+5secs",
      "5SECS",
      "1hrs5mins",
      "1.2.3secs",
      ".secs",
      ".",
      "1e3ms",
      "0x10secs",
      "5seconds",
      "9223372036854775808ns",
      "99999999999999999999secs",
      "15251weeks",
      "9223372036.854775808secs",
  };
  for (const std::string& text : cases) {
    const auto parsed = base::parse_duration(text);
    ASSERT_FALSE(parsed.has_value()) << text;
    EXPECT_EQ(parsed.error().kind, base::ErrorKind::kInvalid) << text;
    EXPECT_TRUE(parsed.error().message.starts_with("'" + text + "' is ")) << parsed.error().message;
  }
}

TEST(Duration, prints) {
  const std::vector<std::pair<nanoseconds, std::string>> cases = {
      {0ns, "0ns"},
      {1ns, "1ns"},
      {1us, "1us"},
      {1001ns, "1001ns"},
      {1500ms, "1500ms"},
      {2s, "2secs"},
      {30s, "30secs"},
      {60s, "1mins"},
      {90s, "90secs"},
      {15min, "15mins"},
      {60min, "1hrs"},
      {6h, "6hrs"},
      {24h, "1days"},
      {25h, "25hrs"},
      {168h, "1weeks"},
      {-5s, "-5secs"},
      {kLongest, "9223372036854775807ns"},
      {nanoseconds::min(), "-9223372036854775808ns"},
  };
  for (const auto& [duration, expected] : cases) {
    EXPECT_EQ(base::to_string(duration), expected);
  }
}

TEST(Duration, reads_back_what_it_prints) {
  for (int64_t n = 1; n > 0 && n < std::numeric_limits<int64_t>::max() / 7; n *= 7) {
    for (const nanoseconds duration : {nanoseconds(n), nanoseconds(n * 6)}) {
      EXPECT_EQ(base::parse_duration(base::to_string(duration)), duration);
    }
  }
}

}  // namespace
