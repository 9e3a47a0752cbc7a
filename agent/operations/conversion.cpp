#include "agent/operations/conversion.h"

#include <string>
#include <utility>

#include "agent/resource_format.h"
#include "agent/resource_values.h"
#include "agent/value_text.h"
#include "base/strings.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using mesos::v1::Offer;
using mesos::v1::Resource;
using mesos::v1::Value;

namespace {

using List = google::protobuf::RepeatedPtrField<Resource>;

std::unexpected<base::Error> refuse(std::string reason) {
  return fail(ErrorKind::kInvalid, std::move(reason));
}

bool is_dynamic(const Resource& resource) {
  return resource.reservations_size() > 0 &&
         resource.reservations().rbegin()->type() == Resource::ReservationInfo::DYNAMIC;
}

// In the present form, and not allocated.
Resource normalized(Resource resource) {
  upgrade_resource(resource);
  resource.clear_allocation_info();
  return resource;
}

Resource without_innermost_reservation(Resource resource) {
  resource.mutable_reservations()->RemoveLast();
  return resource;
}

Resource without_volume(Resource resource) {
  auto& disk = *resource.mutable_disk();
  disk.clear_persistence();
  disk.clear_volume();
  if (!disk.has_source()) resource.clear_disk();
  resource.clear_shared();
  return resource;
}

Resource with_size(Resource resource, double size) {
  resource.mutable_scalar()->set_value(round_scalar(size));
  return resource;
}

Result<Conversion> convert_reserve(const Offer::Operation::Reserve& reserve) {
  Conversion conversion;
  for (const Resource& resource : reserve.source()) {
    conversion.consumed.push_back(normalized(resource));
  }
  for (const Resource& given : reserve.resources()) {
    const Resource resource = normalized(given);
    if (!is_dynamic(resource)) {
      return refuse(concat("RESERVE: ", resource.name(), " is not to be dynamically reserved"));
    }
    if (reserve.source().empty()) {
      conversion.consumed.push_back(without_innermost_reservation(resource));
    }
    conversion.converted.push_back(resource);
  }
  return conversion;
}

Result<Conversion> convert_unreserve(const List& resources) {
  Conversion conversion;
  for (const Resource& given : resources) {
    const Resource resource = normalized(given);
    if (!is_dynamic(resource)) {
      return refuse(concat("UNRESERVE: ", resource.name(), " is not dynamically reserved"));
    }
    if (resource.disk().has_persistence()) {
      return refuse("UNRESERVE: a persistent volume must be destroyed before");
    }
    conversion.consumed.push_back(resource);
    conversion.converted.push_back(without_innermost_reservation(resource));
  }
  return conversion;
}

// The volumes, and what they are made of.
Result<Conversion> convert_create(const List& volumes) {
  Conversion conversion;
  for (const Resource& given : volumes) {
    const Resource volume = normalized(given);
    if (!volume.disk().has_persistence()) return refuse("expected persistent volumes");
    conversion.consumed.push_back(without_volume(volume));
    conversion.converted.push_back(volume);
  }
  return conversion;
}

Result<Conversion> convert_destroy(const List& volumes) {
  TRY(Conversion creation, convert_create(volumes));
  return Conversion{std::move(creation.converted), std::move(creation.consumed)};
}

Status check_resizable(const Resource& volume) {
  if (!volume.disk().has_persistence() || volume.type() != Value::SCALAR || volume.has_shared() ||
      volume.disk().source().type() == Resource::DiskInfo::Source::MOUNT) {
    return refuse("expected a persistent volume that can be resized");
  }
  return {};
}

Result<Conversion> convert_grow(const Offer::Operation::GrowVolume& grow) {
  const Resource volume = normalized(grow.volume());
  const Resource addition = normalized(grow.addition());
  TRY_VOID(check_resizable(volume));
  if (!same_kind(without_volume(volume), addition)) {
    return refuse("GROW_VOLUME: expected an addition of the volume's kind");
  }
  return Conversion{{volume, addition},
                    {with_size(volume, volume.scalar().value() + addition.scalar().value())}};
}

Result<Conversion> convert_shrink(const Offer::Operation::ShrinkVolume& shrink) {
  const Resource volume = normalized(shrink.volume());
  TRY_VOID(check_resizable(volume));
  const double rest = round_scalar(volume.scalar().value() - shrink.subtract().value());
  if (rest <= 0 || shrink.subtract().value() < 0) {
    return refuse("SHRINK_VOLUME: expected less than the volume's size");
  }
  return Conversion{
      {volume},
      {with_size(volume, rest), with_size(without_volume(volume), shrink.subtract().value())}};
}

// What a checkpointed resource was made of: as far as flags can say it.
Resource as_configured(Resource resource) {
  if (resource.disk().has_persistence()) resource = without_volume(std::move(resource));
  while (is_dynamic(resource)) resource = without_innermost_reservation(std::move(resource));
  return resource;
}

}  // namespace

Result<Conversion> convert(const Offer::Operation& operation) {
  switch (operation.type()) {
    case Offer::Operation::RESERVE:
      return convert_reserve(operation.reserve());
    case Offer::Operation::UNRESERVE:
      return convert_unreserve(operation.unreserve().resources());
    case Offer::Operation::CREATE:
      return convert_create(operation.create().volumes());
    case Offer::Operation::DESTROY:
      return convert_destroy(operation.destroy().volumes());
    case Offer::Operation::GROW_VOLUME:
      return convert_grow(operation.grow_volume());
    case Offer::Operation::SHRINK_VOLUME:
      return convert_shrink(operation.shrink_volume());
    default:
      return fail(ErrorKind::kUnsupported, concat("the agent's own resources know no operation ",
                                                  Offer::Operation::Type_Name(operation.type())));
  }
}

Result<ResourceSet> apply(const Conversion& conversion, ResourceSet resources) {
  for (const Resource& consumed : conversion.consumed) {
    if (!resources.remove(consumed)) {
      return fail(ErrorKind::kConflict,
                  concat("the agent does not have: ", consumed.ShortDebugString()));
    }
  }
  resources.add_all(conversion.converted);
  return resources;
}

Result<ResourceSet> substitute(const ResourceSet& configured, const ResourceSet& checkpointed) {
  Conversion conversion;
  for (const Resource& resource : checkpointed.list()) {
    conversion.consumed.push_back(as_configured(resource));
    conversion.converted.push_back(resource);
  }
  return apply(conversion, configured);
}

ResourceSet checkpointed_of(const ResourceSet& resources) {
  ResourceSet checkpointed;
  for (const Resource& resource : resources.list()) {
    if (needs_checkpoint(resource)) checkpointed.add(resource);
  }
  return checkpointed;
}

}  // namespace agent
