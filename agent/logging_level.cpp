#include "agent/logging_level.h"

#include <glog/logging.h>

#include "base/combine.h"

namespace agent {

LoggingLevel::LoggingLevel() : initial_(static_cast<uint32_t>(FLAGS_v)) {}

uint32_t LoggingLevel::get() const { return static_cast<uint32_t>(FLAGS_v); }

void LoggingLevel::set(uint32_t level, std::chrono::nanoseconds duration) {
  FLAGS_v = static_cast<int>(level);
  reverting_.cancel();
  reverting_.spawn(revert_after(duration));
}

base::Task<void> LoggingLevel::revert_after(std::chrono::nanoseconds duration) {
  co_await base::sleep_for(duration);
  FLAGS_v = static_cast<int>(initial_);
}

}  // namespace agent
