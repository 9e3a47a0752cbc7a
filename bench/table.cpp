#include "bench/table.h"

#include <cstdio>
#include <string_view>

namespace bench {

namespace {

std::string number(double value) {
  char text[32];
  const int decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 3;
  std::snprintf(text, sizeof(text), "%.*f", decimals, value);
  return text;
}

std::string number(const std::optional<double>& value) { return value ? number(*value) : ""; }

std::string budget_text(const Row& row) {
  if (row.budget.kind == Budget::Kind::kNone) return "";
  const char* sign = row.budget.kind == Budget::Kind::kAtMost ? "<= " : ">= ";
  std::string text = sign + number(row.budget.limit);
  if (!row.ratio) text += std::string(" ") + row.unit;
  return text;
}

const char* verdict(const Row& row) {
  const double judged = row.ratio.value_or(row.ours.p50);
  switch (row.budget.kind) {
    case Budget::Kind::kNone:
      return "";
    case Budget::Kind::kAtMost:
      return judged <= row.budget.limit ? "met" : "MISSED";
    case Budget::Kind::kAtLeast:
      return judged >= row.budget.limit ? "met" : "MISSED";
  }
  return "";
}

void print_row(const Row& row) {
  const Figure other = row.other.value_or(Figure{});
  std::printf("%-46s %8s %8s %-5s  %-38s %8s %8s  %6s  %-11s %s\n", row.ours.name.c_str(),
              number(row.ours.p50).c_str(), number(row.ours.p99).c_str(), row.unit,
              other.name.c_str(), row.other ? number(other.p50).c_str() : "",
              number(other.p99).c_str(), number(row.ratio).c_str(), budget_text(row).c_str(),
              verdict(row));
}

}  // namespace

void Table::compare(Figure ours, Figure other, const char* unit, Budget budget) {
  const double ratio = other.p50 > 0 ? ours.p50 / other.p50 : 0;
  lines_.push_back({"", Row{std::move(ours), unit, std::move(other), ratio, budget}});
}

void Table::compare_p99(Figure ours, Figure other, const char* unit, Budget budget) {
  const double reference = other.p99.value_or(0);
  ours.name += " (ratio of p99)";
  const double ratio = reference > 0 ? ours.p99.value_or(0) / reference : 0;
  lines_.push_back({"", Row{std::move(ours), unit, std::move(other), ratio, budget}});
}

void Table::state(Figure ours, const char* unit, Budget budget) {
  lines_.push_back({"", Row{std::move(ours), unit, std::nullopt, std::nullopt, budget}});
}

void Table::section(std::string title) { lines_.push_back({std::move(title)}); }

void Table::failed(const std::string& what, const std::string& why) {
  any_failed_ = true;
  lines_.push_back({"FAILED: " + what + ": " + why});
  std::fprintf(stderr, "bench: %s: %s\n", what.c_str(), why.c_str());
}

void Table::print() const {
  std::printf("%-46s %8s %8s %-5s  %-38s %8s %8s  %6s  %-11s %s\n", "measured", "p50", "p99",
              "unit", "compared with", "p50", "p99", "ratio", "budget", "verdict");
  for (const Line& line : lines_) {
    if (line.row) {
      print_row(*line.row);
    } else {
      std::printf("-- %s\n", line.title.c_str());
    }
  }
}

}  // namespace bench
