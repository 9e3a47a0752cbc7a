// Comparing ids of the API, which protobuf messages do not bring.
#pragma once

#include <concepts>

#include "proto/mesos/v1/ids.pb.h"

namespace mesos::v1 {

template <typename Id>
concept SimpleId = std::same_as<Id, AgentID> || std::same_as<Id, ExecutorID> ||
                   std::same_as<Id, FrameworkID> || std::same_as<Id, TaskID>;

template <SimpleId Id>
bool operator==(const Id& a, const Id& b) {
  return a.value() == b.value();
}

}  // namespace mesos::v1
