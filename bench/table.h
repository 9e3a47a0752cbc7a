// The one table that a run ends with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/samples.h"

namespace bench {

// What a row must keep to: its ratio if it has one, else its p50.
struct Budget {
  enum class Kind : uint8_t { kNone, kAtMost, kAtLeast };
  Kind kind = Kind::kNone;
  double limit = 0;
};
inline Budget at_most(double limit) { return {Budget::Kind::kAtMost, limit}; }
inline Budget at_least(double limit) { return {Budget::Kind::kAtLeast, limit}; }

// One side of a comparison. p99 is left out where a single figure was taken.
struct Figure {
  std::string name;
  double p50 = 0;
  std::optional<double> p99;

  static Figure of(std::string name, const Samples& samples) {
    return {std::move(name), samples.p50(), samples.p99()};
  }
};

struct Row {
  Figure ours;
  const char* unit = "ms";
  std::optional<Figure> other = std::nullopt;
  std::optional<double> ratio = std::nullopt;
  Budget budget = {};
};

class Table {
 public:
  // Our figure beside another; the ratio is that of the medians.
  void compare(Figure ours, Figure other, const char* unit, Budget budget = {});

  // The same, by the 99th percentiles.
  void compare_p99(Figure ours, Figure other, const char* unit, Budget budget = {});

  // A figure that stands for itself.
  void state(Figure ours, const char* unit, Budget budget = {});

  // A line between rows.
  void section(std::string title);

  // What could not be measured, with the reason; it counts as a failure of the run.
  void failed(const std::string& what, const std::string& why);
  bool any_failed() const { return any_failed_; }

  void print() const;

 private:
  struct Line {
    std::string title;  // of a section or of a failure
    std::optional<Row> row = std::nullopt;
  };

  std::vector<Line> lines_;
  bool any_failed_ = false;
};

}  // namespace bench
