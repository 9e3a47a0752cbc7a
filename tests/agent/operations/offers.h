// The operations of offers, as tests write them down.
#pragma once

#include <vector>

#include "proto/mesos/v1/mesos.pb.h"

namespace tests {

inline mesos::v1::Offer::Operation reserve(const std::vector<mesos::v1::Resource>& resources,
                                           const std::vector<mesos::v1::Resource>& source = {}) {
  mesos::v1::Offer::Operation operation;
  operation.set_type(mesos::v1::Offer::Operation::RESERVE);
  for (const auto& resource : resources) *operation.mutable_reserve()->add_resources() = resource;
  for (const auto& resource : source) *operation.mutable_reserve()->add_source() = resource;
  return operation;
}

inline mesos::v1::Offer::Operation reserve(const mesos::v1::Resource& resource) {
  return reserve(std::vector{resource});
}

inline mesos::v1::Offer::Operation unreserve(const mesos::v1::Resource& resource) {
  mesos::v1::Offer::Operation operation;
  operation.set_type(mesos::v1::Offer::Operation::UNRESERVE);
  *operation.mutable_unreserve()->add_resources() = resource;
  return operation;
}

inline mesos::v1::Offer::Operation create(const mesos::v1::Resource& resource) {
  mesos::v1::Offer::Operation operation;
  operation.set_type(mesos::v1::Offer::Operation::CREATE);
  *operation.mutable_create()->add_volumes() = resource;
  return operation;
}

inline mesos::v1::Offer::Operation destroy(const mesos::v1::Resource& resource) {
  mesos::v1::Offer::Operation operation;
  operation.set_type(mesos::v1::Offer::Operation::DESTROY);
  *operation.mutable_destroy()->add_volumes() = resource;
  return operation;
}

inline mesos::v1::Offer::Operation grow(const mesos::v1::Resource& resource,
                                        const mesos::v1::Resource& addition) {
  mesos::v1::Offer::Operation operation;
  operation.set_type(mesos::v1::Offer::Operation::GROW_VOLUME);
  *operation.mutable_grow_volume()->mutable_volume() = resource;
  *operation.mutable_grow_volume()->mutable_addition() = addition;
  return operation;
}

inline mesos::v1::Offer::Operation shrink(const mesos::v1::Resource& resource, double by) {
  mesos::v1::Offer::Operation operation;
  operation.set_type(mesos::v1::Offer::Operation::SHRINK_VOLUME);
  *operation.mutable_shrink_volume()->mutable_volume() = resource;
  operation.mutable_shrink_volume()->mutable_subtract()->set_value(by);
  return operation;
}

}  // namespace tests
