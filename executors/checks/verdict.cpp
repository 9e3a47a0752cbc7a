#include "executors/checks/verdict.h"

namespace executors {

bool is_healthy(CheckKind kind, const ProbeResult& result) {
  if (!result) return false;
  switch (kind) {
    case CheckKind::kCommand:
      return *result == 0;
    case CheckKind::kHttp:
      return *result >= 200 && *result < 400;
    case CheckKind::kTcp:
      return *result != 0;
    default:
      return false;
  }
}

std::optional<CheckResult> CheckVerdict::add(const ProbeResult& result) {
  CheckResult now{.kind = last_.kind};
  if (result) now.value = *result;
  if (now == last_) return std::nullopt;
  last_ = now;
  return now;
}

std::optional<HealthVerdict::Report> HealthVerdict::add(bool healthy,
                                                        std::chrono::nanoseconds age) {
  if (!healthy) {
    if (initializing_ && age <= grace_period_) return std::nullopt;
    initializing_ = false;
    ++failures_;
    return Report{.healthy = false, .kill = failures_ >= limit_};
  }
  const bool news = initializing_ || failures_ > 0;
  initializing_ = false;
  failures_ = 0;
  if (!news) return std::nullopt;
  return Report{.healthy = true};
}

}  // namespace executors
