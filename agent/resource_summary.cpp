#include "agent/resource_summary.h"

#include <algorithm>

#include "agent/value_text.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using mesos::v1::Resource;
using mesos::v1::Value;

ResourceSummary summarize(const std::vector<const Resource*>& resources) {
  ResourceSummary summary;
  for (const Resource* resource : resources) {
    const std::string name =
        resource->has_revocable() ? resource->name() + "_revocable" : resource->name();
    switch (resource->type()) {
      case Value::SCALAR:
        summary.scalars[name] += resource->scalar().value();
        break;
      case Value::RANGES:
        summary.ranges[name].MergeFrom(resource->ranges());
        break;
      case Value::SET:
        summary.sets[name].MergeFrom(resource->set());
        break;
      case Value::TEXT:  // no resource is text
        break;
    }
  }
  for (auto& [name, sum] : summary.scalars) sum = round_scalar(sum);
  for (auto& [name, ranges] : summary.ranges) coalesce(ranges);
  for (auto& [name, set] : summary.sets) std::ranges::sort(*set.mutable_item());
  return summary;
}

std::string reserved_role(const Resource& resource) {
  const int count = resource.reservations_size();
  return count == 0 ? "" : resource.reservations(count - 1).role();
}

std::string to_text(const Value::Ranges& ranges) {
  std::string text = "[";
  for (const auto& range : ranges.range()) {
    if (text.size() > 1) text += ", ";
    text += concat(range.begin(), "-", range.end());
  }
  return text + "]";
}

std::string to_text(const Value::Set& set) {
  std::string text = "{";
  for (const auto& item : set.item()) {
    if (text.size() > 1) text += ", ";
    text += item;
  }
  return text + "}";
}

}  // namespace agent
