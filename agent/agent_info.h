// What the agent says of itself to masters, frameworks and operators.
#pragma once

#include <string>
#include <vector>

#include "agent/flags.h"
#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// The address under which others reach the agent: --advertise_ip, or --ip if that is one address.
// An agent that listens on all of them takes the one that its host's name stands for, else
// 127.0.0.1. Asks the resolver, so it blocks.
std::string advertised_ip(const Flags& flags);

// AgentInfo by the flags, with these resources and without an id, which a master gives. The host's
// name is --hostname; else the name of `ip` if --hostname_lookup is set and it has one, else `ip`.
// Asks the resolver, so it blocks. kInvalid for bad --attributes.
base::Result<mesos::v1::AgentInfo> make_agent_info(
    const Flags& flags, const std::vector<mesos::v1::Resource>& resources, const std::string& ip);

// What this agent tells masters that it knows how to do.
std::vector<mesos::v1::AgentInfo::Capability::Type> capabilities();

}  // namespace agent
