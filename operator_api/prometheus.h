// Metrics in the text format of Prometheus, version 0.0.4.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "agent/agent.h"
#include "agent/metrics.h"

namespace operator_api {

// "mesos_slave_uptime_seconds" for "slave/uptime_secs". Counters end in _total, and nothing else
// does: what a gauge calls its total is its capacity. A part that Mesos calls percent is a ratio.
std::string prometheus_name(std::string_view name, agent::MetricKind kind);

// The agent's metrics, and the statistics of each container that is `visible`.
base::Task<std::string> prometheus_text(
    const agent::Agent& agent, std::function<bool(const isolators::ContainerId& id)> visible);

}  // namespace operator_api
