#include "agent/resource_check.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/role.h"
#include "agent/value_text.h"
#include "base/strings.h"

namespace agent {
namespace {

using base::concat;
using base::Status;
using mesos::v1::Resource;
using mesos::v1::Value;

Status refuse(std::string reason) {
  return base::fail(base::ErrorKind::kInvalid, std::move(reason));
}

Status normalize_scalar(Resource& resource) {
  const double value = resource.scalar().value();
  if (!std::isfinite(value) || value < 0) {
    return refuse("expected a finite number that is not negative");
  }
  if (resource.name() == "gpus" && value != std::floor(value)) {
    return refuse("expected a whole number of gpus");
  }
  resource.mutable_scalar()->set_value(round_scalar(value));
  return {};
}

Status normalize_ranges(Resource& resource) {
  Value::Ranges& ranges = *resource.mutable_ranges();
  for (const Value::Range& range : ranges.range()) {
    if (range.begin() > range.end()) {
      return refuse(concat("expected ranges that begin before they end, not ", range.begin(), "-",
                           range.end()));
    }
  }
  std::vector<std::pair<uint64_t, uint64_t>> sorted;
  for (const Value::Range& range : ranges.range()) sorted.emplace_back(range.begin(), range.end());
  std::ranges::sort(sorted);
  const auto overlap = std::ranges::adjacent_find(
      sorted, [](const auto& range, const auto& next) { return next.first <= range.second; });
  if (overlap != sorted.end()) return refuse("expected ranges that do not overlap");
  coalesce(ranges);
  return {};
}

Status check_set(const Resource& resource) {
  std::set<std::string_view> seen;
  for (const std::string& item : resource.set().item()) {
    if (!seen.insert(item).second) {
      return refuse(concat("expected a set without duplicates, but '", item, "' is there twice"));
    }
  }
  return {};
}

Status normalize_value(Resource& resource) {
  const Value::Type type = resource.type();
  if (resource.has_scalar() != (type == Value::SCALAR) ||
      resource.has_ranges() != (type == Value::RANGES) ||
      resource.has_set() != (type == Value::SET)) {
    return refuse("expected type SCALAR, RANGES or SET and a value of just that type");
  }
  switch (type) {
    case Value::SCALAR:
      return normalize_scalar(resource);
    case Value::RANGES:
      return normalize_ranges(resource);
    case Value::SET:
      return check_set(resource);
    case Value::TEXT:
      break;
  }
  return refuse("expected a number, [ranges] or a {set}, not text");
}

// Turns `role`, `reservations` or the lack of both into at most one static reservation.
Status normalize_reservation(Resource& resource, std::string_view default_role) {
  if (resource.has_reservation()) {
    return refuse("expected no dynamic reservation: those are made through the API");
  }
  std::string role(default_role);
  if (resource.reservations_size() > 0) {
    if (resource.has_role()) return refuse("expected either a role or reservations, not both");
    const auto& reservation = resource.reservations(0);
    if (resource.reservations_size() > 1 ||
        reservation.type() != Resource::ReservationInfo::STATIC) {
      return refuse("expected one reservation of type STATIC: others are made through the API");
    }
    role = reservation.role();
    if (role == "*") return refuse("expected a reservation for another role than '*'");
  } else if (resource.has_role()) {
    role = resource.role();
  }
  TRY_VOID(check_role(role));
  resource.clear_role();
  if (role != "*" && resource.reservations_size() == 0) {
    Resource::ReservationInfo& reservation = *resource.add_reservations();
    reservation.set_type(Resource::ReservationInfo::STATIC);
    reservation.set_role(role);
  }
  return {};
}

Status check_disk(const Resource& resource) {
  using Source = Resource::DiskInfo::Source;
  if (!resource.has_disk()) return {};
  if (resource.name() != "disk") return refuse("expected no disk information: it is no disk");
  if (resource.disk().has_persistence() || resource.disk().has_volume()) {
    return refuse("expected no persistent volume: those are made through the API");
  }
  if (!resource.disk().has_source()) return {};
  const Source& source = resource.disk().source();
  if (source.type() == Source::PATH && source.has_path()) return {};
  if (source.type() == Source::MOUNT && source.has_mount()) return {};
  return refuse("expected a disk source of type PATH or MOUNT, with its root");
}

}  // namespace

Status normalize_resource(Resource& resource, std::string_view default_role) {
  if (resource.name().empty()) return refuse("expected a name");
  if (resource.has_revocable()) return refuse("expected no revocable resource");
  if (resource.has_shared()) return refuse("expected no shared resource");
  if (resource.has_allocation_info()) return refuse("expected no allocation_info");
  if (resource.has_provider_id()) return refuse("expected no provider_id");
  TRY_VOID(normalize_value(resource));
  TRY_VOID(normalize_reservation(resource, default_role));
  return check_disk(resource);
}

}  // namespace agent
