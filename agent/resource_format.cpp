#include "agent/resource_format.h"

#include <vector>

namespace agent {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using mesos::v1::Resource;

namespace {

// Whether messages of this type can hold resources is not asked: the messages are small.
void collect_resources(Message& message, std::vector<Resource*>& found) {
  if (message.GetDescriptor() == Resource::descriptor()) {
    found.push_back(static_cast<Resource*>(&message));
    return;
  }
  const auto* reflection = message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (!field->is_repeated()) {
      collect_resources(*reflection->MutableMessage(&message, field), found);
      continue;
    }
    for (int i = 0; i < reflection->FieldSize(message, field); ++i) {
      collect_resources(*reflection->MutableRepeatedMessage(&message, field, i), found);
    }
  }
}

std::vector<Resource*> resources_in(Message& message) {
  std::vector<Resource*> found;
  collect_resources(message, found);
  return found;
}

void downgrade_resource(Resource& resource) {
  if (resource.reservations_size() == 0) {
    resource.set_role("*");
    return;
  }
  Resource::ReservationInfo reservation = resource.reservations(0);
  resource.clear_reservations();
  resource.set_role(reservation.role());
  if (reservation.type() == Resource::ReservationInfo::STATIC) return;
  reservation.clear_type();
  reservation.clear_role();
  *resource.mutable_reservation() = std::move(reservation);
}

}  // namespace

void upgrade_resource(Resource& resource) {
  if (resource.reservations_size() == 0 && resource.has_role() && resource.role() != "*") {
    auto& reservation = *resource.add_reservations();
    if (resource.has_reservation()) reservation = resource.reservation();
    reservation.set_type(resource.has_reservation() ? Resource::ReservationInfo::DYNAMIC
                                                    : Resource::ReservationInfo::STATIC);
    reservation.set_role(resource.role());
  }
  resource.clear_role();
  resource.clear_reservation();
}

void upgrade_resources(Message& message) {
  for (Resource* resource : resources_in(message)) upgrade_resource(*resource);
}

bool downgrade_resources(Message& message) {
  const auto resources = resources_in(message);
  for (const Resource* resource : resources) {
    if (resource->reservations_size() > 1) return false;
  }
  for (Resource* resource : resources) downgrade_resource(*resource);
  return true;
}

}  // namespace agent
