// Measured values and what is reported of them.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <vector>

namespace bench {

using Clock = std::chrono::steady_clock;

inline double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// The values of one series, of whatever unit.
class Samples {
 public:
  void add(double value) { values_.push_back(value); }
  size_t count() const { return values_.size(); }

  // The smallest value that at least `percent` percent of the values do not exceed; 0 of none.
  double percentile(double percent) const {
    if (values_.empty()) return 0;
    std::vector<double> sorted = values_;
    std::ranges::sort(sorted);
    const auto rank = static_cast<size_t>(percent / 100 * static_cast<double>(sorted.size()));
    return sorted[std::min(rank, sorted.size() - 1)];
  }
  double p50() const { return percentile(50); }
  double p99() const { return percentile(99); }

 private:
  std::vector<double> values_;
};

}  // namespace bench
