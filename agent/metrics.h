// The agent's metrics under the names of Apache Mesos.
#pragma once

#include <string_view>
#include <vector>

#include "agent/agent.h"

namespace agent {

enum class MetricKind { kGauge, kCounter };

// One metric and its value at a moment.
struct Metric {
  std::string_view name;
  MetricKind kind;
  std::string_view help;  // a sentence, with the unit if the name does not tell it
  double value;
};

// Every metric that has a value now, sorted by name.
std::vector<Metric> collect_metrics(const Agent& agent);

}  // namespace agent
