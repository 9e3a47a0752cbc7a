#include "executors/checks/verdict.h"

#include <gtest/gtest.h>

#include <string>

namespace executors {
namespace {

using namespace std::chrono_literals;

const ProbeResult kNothing = base::fail("no result");

TEST(VerdictTest, Healthy) {
  EXPECT_TRUE(is_healthy(CheckKind::kCommand, 0));
  EXPECT_FALSE(is_healthy(CheckKind::kCommand, 1));
  EXPECT_FALSE(is_healthy(CheckKind::kHttp, 199));
  EXPECT_TRUE(is_healthy(CheckKind::kHttp, 200));
  EXPECT_TRUE(is_healthy(CheckKind::kHttp, 399));
  EXPECT_FALSE(is_healthy(CheckKind::kHttp, 400));
  EXPECT_TRUE(is_healthy(CheckKind::kTcp, 1));
  EXPECT_FALSE(is_healthy(CheckKind::kTcp, 0));
  EXPECT_FALSE(is_healthy(CheckKind::kUnknown, 0));
  for (const auto kind : {CheckKind::kCommand, CheckKind::kHttp, CheckKind::kTcp}) {
    EXPECT_FALSE(is_healthy(kind, kNothing));
  }
}

TEST(VerdictTest, ChecksTellChanges) {
  CheckVerdict verdict(CheckKind::kHttp);
  EXPECT_FALSE(verdict.add(kNothing));  // as before there was any
  EXPECT_EQ(verdict.add(200)->value, 200);
  EXPECT_FALSE(verdict.add(200));
  const auto changed = verdict.add(500);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->kind, CheckKind::kHttp);
  EXPECT_EQ(changed->value, 500);
  const auto lost = verdict.add(kNothing);
  ASSERT_TRUE(lost);
  EXPECT_FALSE(lost->value);
  EXPECT_FALSE(verdict.add(kNothing));
  EXPECT_TRUE(verdict.add(500));
}

// 'S' and 'F' are results; what comes is told by 'h' and 'u' (healthy, unhealthy), 'K' (kill) or
// '.' (nothing).
std::string tell(HealthVerdict& verdict, std::string_view results, Duration age) {
  std::string told;
  for (const char result : results) {
    const auto report = verdict.add(result == 'S', age);
    told += !report ? '.' : report->kill ? 'K' : report->healthy ? 'h' : 'u';
  }
  return told;
}

HealthVerdict make_verdict(uint32_t failures, Duration grace_period) {
  HealthCheckSpec spec;
  spec.consecutive_failures = failures;
  spec.grace_period = grace_period;
  return HealthVerdict(spec);
}

TEST(VerdictTest, HealthTellsEveryFailureAndTheFirstSuccesses) {
  auto verdict = make_verdict(3, 0s);
  EXPECT_EQ(tell(verdict, "SSFFSSFSFFF", 1s), "h.uuh.uhuuK");
}

TEST(VerdictTest, FailuresInTheGracePeriodDoNotCount) {
  auto verdict = make_verdict(2, 10s);
  EXPECT_EQ(tell(verdict, "FFFF", 9s), "....");
  EXPECT_EQ(tell(verdict, "FF", 11s), "uK");
}

TEST(VerdictTest, TheFirstSuccessEndsTheGracePeriod) {
  auto verdict = make_verdict(2, 10s);
  EXPECT_EQ(tell(verdict, "FSFF", 1s), ".huK");
}

TEST(VerdictTest, OneFailureCanBeEnough) {
  auto verdict = make_verdict(1, 0s);
  EXPECT_EQ(tell(verdict, "F", 1s), "K");
}

}  // namespace
}  // namespace executors
