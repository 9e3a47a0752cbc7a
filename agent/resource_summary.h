// Resources added up, by name: what /state and the metrics show of them.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// Scalars are sums with three decimals. Revocable ones count under "<name>_revocable".
struct ResourceSummary {
  std::map<std::string, double> scalars;
  std::map<std::string, mesos::v1::Value::Ranges> ranges;  // coalesced
  std::map<std::string, mesos::v1::Value::Set> sets;       // sorted
};

ResourceSummary summarize(const std::vector<const mesos::v1::Resource*>& resources);

// The same for any list of resources.
template <typename Resources>
ResourceSummary summarize_all(const Resources& resources) {
  std::vector<const mesos::v1::Resource*> pointers;
  for (const auto& resource : resources) pointers.push_back(&resource);
  return summarize(pointers);
}

// The role that the resource is reserved for; empty if it is not reserved.
std::string reserved_role(const mesos::v1::Resource& resource);

// "[1-2, 5-6]"
std::string to_text(const mesos::v1::Value::Ranges& ranges);

// "{a, b}"
std::string to_text(const mesos::v1::Value::Set& set);

}  // namespace agent
