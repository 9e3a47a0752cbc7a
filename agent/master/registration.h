// What the agent tells a master of itself.
#pragma once

#include <string>

#include "proto/mesos/internal/messages.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// AgentInfo as masters know it, SlaveInfo: the one field that AgentInfo has not is added,
// checkpoint = true. Without it a master drops whoever has dynamic reservations.
mesos::v1::AgentInfo to_slave_info(const mesos::v1::AgentInfo& info);

// The version of the agent's resources, which launches must name: 16 bytes. One for a whole run.
mesos::v1::UUID make_resource_version();

// What is the same in each of these messages; what depends on frameworks, tasks and operations is
// left to others. Masters silently drop messages with fields that they do not like, hence:
// - `version` is that of the protocol; below 1.0.0 or not semantic is dropped;
// - all capabilities are named.
mesos::internal::RegisterSlaveMessage make_registration(const mesos::v1::AgentInfo& info,
                                                        const mesos::v1::UUID& resource_version);
mesos::internal::ReregisterSlaveMessage make_reregistration(
    const mesos::v1::AgentInfo& info, const mesos::v1::UUID& resource_version);

// Operations and providers are there, though empty: absent ones would mean "as before". Nothing is
// said of oversubscription, which must be said too.
mesos::internal::UpdateSlaveMessage make_update(const mesos::v1::AgentInfo& info,
                                                const mesos::v1::UUID& resource_version);

}  // namespace agent
