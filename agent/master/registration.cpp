#include "agent/master/registration.h"

#include "agent/agent_info.h"
#include "agent/version.h"
#include "base/uuid.h"

namespace agent {

using mesos::internal::RegisterSlaveMessage;
using mesos::internal::ReregisterSlaveMessage;
using mesos::internal::UpdateSlaveMessage;
using mesos::v1::AgentInfo;
using mesos::v1::UUID;

namespace {

// The fields that registering for the first time and again have in common.
template <typename Registration>
Registration describe(const AgentInfo& info, const UUID& resource_version) {
  Registration message;
  *message.mutable_slave() = to_slave_info(info);
  message.set_version(kMesosVersion);
  for (const auto type : capabilities()) message.add_agent_capabilities()->set_type(type);
  *message.mutable_resource_version_uuid() = resource_version;
  return message;
}

}  // namespace

AgentInfo to_slave_info(const AgentInfo& info) {
  constexpr int kCheckpoint = 7;
  AgentInfo slave = info;
  slave.GetReflection()->MutableUnknownFields(&slave)->AddVarint(kCheckpoint, 1);
  return slave;
}

UUID make_resource_version() {
  UUID uuid;
  uuid.set_value(base::make_uuid_bytes());
  return uuid;
}

RegisterSlaveMessage make_registration(const AgentInfo& info, const UUID& resource_version) {
  auto message = describe<RegisterSlaveMessage>(info, resource_version);
  message.mutable_slave()->clear_id();
  return message;
}

ReregisterSlaveMessage make_reregistration(const AgentInfo& info, const UUID& resource_version) {
  return describe<ReregisterSlaveMessage>(info, resource_version);
}

UpdateSlaveMessage make_update(const AgentInfo& info, const UUID& resource_version) {
  UpdateSlaveMessage message;
  *message.mutable_slave_id() = info.id();
  message.set_update_oversubscribed_resources(false);
  message.mutable_operations();
  *message.mutable_resource_version_uuid() = resource_version;
  message.mutable_resource_providers();
  return message;
}

}  // namespace agent
