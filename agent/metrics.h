// The agent's metrics under the names of Apache Mesos.
#pragma once

#include <string_view>
#include <utility>
#include <vector>

#include "agent/agent.h"

namespace agent {

// Name and value of every metric that has a value now, sorted by name.
std::vector<std::pair<std::string_view, double>> collect_metrics(const Agent& agent);

}  // namespace agent
