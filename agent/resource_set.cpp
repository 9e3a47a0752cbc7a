#include "agent/resource_set.h"

#include <algorithm>
#include <string>
#include <utility>

#include "agent/resource_format.h"
#include "agent/resource_values.h"

namespace agent {

using mesos::v1::Label;
using mesos::v1::Labels;
using mesos::v1::Resource;

namespace {

using Source = Resource::DiskInfo::Source;

void sort_labels(Labels& labels) {
  std::ranges::sort(labels.mutable_labels()->pointer_begin(),
                    labels.mutable_labels()->pointer_end(), {},
                    [](const Label* label) { return std::pair(label->key(), label->value()); });
}

// Equal for resources of one kind.
std::string kind_of(Resource resource) {
  resource.clear_scalar();
  resource.clear_ranges();
  resource.clear_set();
  for (auto& reservation : *resource.mutable_reservations()) {
    if (reservation.has_labels()) sort_labels(*reservation.mutable_labels());
  }
  if (resource.has_disk()) {
    auto& disk = *resource.mutable_disk();
    disk.clear_volume();
    if (disk.has_persistence()) disk.mutable_persistence()->clear_principal();
    if (disk.source().has_metadata()) sort_labels(*disk.mutable_source()->mutable_metadata());
    if (!disk.has_persistence() && !disk.has_source()) resource.clear_disk();
  }
  return resource.SerializePartialAsString();
}

// Cannot be put together or taken apart.
bool is_whole(const Resource& resource) {
  const Source::Type type = resource.disk().source().type();
  return resource.disk().has_persistence() || type == Source::MOUNT || type == Source::BLOCK ||
         type == Source::RAW;
}

}  // namespace

bool same_kind(const Resource& a, const Resource& b) {
  return a.name() == b.name() && kind_of(a) == kind_of(b);
}

bool addable(const Resource& a, const Resource& b) { return !is_whole(a) && same_kind(a, b); }

bool needs_checkpoint(const Resource& resource) {
  if (resource.has_provider_id()) return false;
  const auto& reservations = resource.reservations();
  return resource.disk().has_persistence() ||
         (!reservations.empty() &&
          reservations.rbegin()->type() == Resource::ReservationInfo::DYNAMIC);
}

void ResourceSet::add(Resource resource) {
  upgrade_resource(resource);
  if (is_empty(resource)) return;
  const auto entry = std::ranges::find_if(
      entries_, [&resource](const Resource& candidate) { return addable(candidate, resource); });
  if (entry == entries_.end()) {
    entries_.push_back(std::move(resource));
  } else {
    add_value(*entry, resource);
  }
}

size_t ResourceSet::find(const Resource& resource) const {
  const auto entry = std::ranges::find_if(entries_, [&resource](const Resource& candidate) {
    return same_kind(candidate, resource) && covers_value(candidate, resource) &&
           (!is_whole(candidate) || covers_value(resource, candidate));
  });
  return static_cast<size_t>(entry - entries_.begin());
}

bool ResourceSet::remove(Resource resource) {
  upgrade_resource(resource);
  if (is_empty(resource)) return true;
  const size_t at = find(resource);
  if (at == entries_.size()) return false;
  subtract_value(entries_[at], resource);
  if (is_empty(entries_[at])) entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(at));
  return true;
}

bool ResourceSet::contains(const Resource& resource) const {
  Resource wanted = resource;
  upgrade_resource(wanted);
  return is_empty(wanted) || find(wanted) < entries_.size();
}

bool ResourceSet::contains(const ResourceSet& others) const {
  ResourceSet rest = *this;
  return std::ranges::all_of(others.entries_,
                             [&rest](const Resource& resource) { return rest.remove(resource); });
}

}  // namespace agent
