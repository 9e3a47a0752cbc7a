#include "agent/tasks/reservations.h"

#include <algorithm>

#include "agent/resource_format.h"

namespace agent {

namespace {

// The only role of a framework; empty if it may have several.
std::string single_role(const mesos::v1::FrameworkInfo& framework) {
  using Capability = mesos::v1::FrameworkInfo::Capability;
  const bool many = std::ranges::any_of(framework.capabilities(), [](const auto& capability) {
    return capability.type() == Capability::MULTI_ROLE;
  });
  if (!many) return framework.role();
  return framework.roles_size() == 1 ? framework.roles(0) : "";
}

}  // namespace

void complete_resources(const mesos::v1::FrameworkInfo& framework,
                        google::protobuf::RepeatedPtrField<mesos::v1::Resource>* resources) {
  const std::string role = single_role(framework);
  for (auto& resource : *resources) {
    upgrade_resource(resource);
    if (!resource.allocation_info().has_role() && !role.empty()) {
      resource.mutable_allocation_info()->set_role(role);
    }
  }
}

}  // namespace agent
