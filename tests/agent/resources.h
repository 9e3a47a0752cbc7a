// Making resources in tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "agent/resources.h"

namespace tests {

using mesos::v1::Resource;

// As --resources reads it: "cpus:2;disk(role):10".
inline std::vector<Resource> resources_of(std::string_view text) {
  auto resources = agent::parse_resources(text, "*");
  if (!resources) ADD_FAILURE() << resources.error().message;
  return resources ? *std::move(resources) : std::vector<Resource>();
}

inline Resource resource_of(std::string_view text) { return resources_of(text).at(0); }

// Reserved once more.
inline Resource reserved(Resource resource, const std::string& role,
                         const std::string& principal = "p") {
  auto& reservation = *resource.add_reservations();
  reservation.set_type(Resource::ReservationInfo::DYNAMIC);
  reservation.set_role(role);
  reservation.set_principal(principal);
  return resource;
}

inline Resource volume(Resource resource, const std::string& id) {
  auto& disk = *resource.mutable_disk();
  disk.mutable_persistence()->set_id(id);
  disk.mutable_persistence()->set_principal("p");
  disk.mutable_volume()->set_container_path("data");
  disk.mutable_volume()->set_mode(mesos::v1::Volume::RW);
  return resource;
}

inline Resource on_disk(Resource resource, Resource::DiskInfo::Source::Type type,
                        const std::string& root) {
  auto& source = *resource.mutable_disk()->mutable_source();
  source.set_type(type);
  if (type == Resource::DiskInfo::Source::PATH) source.mutable_path()->set_root(root);
  if (type == Resource::DiskInfo::Source::MOUNT) source.mutable_mount()->set_root(root);
  return resource;
}

inline Resource allocated(Resource resource, const std::string& role) {
  resource.mutable_allocation_info()->set_role(role);
  return resource;
}

}  // namespace tests
