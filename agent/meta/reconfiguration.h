// --reconfiguration_policy: whether an agent may come back with other flags.
#pragma once

#include <string_view>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

enum class ReconfigurationPolicy {
  kEqual,     // nothing may have changed
  kAdditive,  // there may be more resources and attributes, and a domain where there was none
};

// "equal" or "additive"; else kInvalid.
base::Result<ReconfigurationPolicy> parse_reconfiguration_policy(std::string_view text);

enum class Reconfiguration {
  kUnchanged,
  kChanged,  // accepted; masters take it only if they have the capability AGENT_UPDATE
};

// Compares what the flags say now with what the agent has registered with at first (slave.info is
// not rewritten). An id is not looked at where `now` has none. kConflict, with what has changed, if
// that is not accepted.
base::Result<Reconfiguration> compare_agents(ReconfigurationPolicy policy,
                                             const mesos::v1::AgentInfo& before,
                                             const mesos::v1::AgentInfo& now);

}  // namespace agent
