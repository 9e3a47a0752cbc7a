#include "agent/operations/conversion.h"

#include <gtest/gtest.h>

#include "tests/agent/operations/offers.h"
#include "tests/agent/resources.h"

namespace {

using agent::ResourceSet;
using mesos::v1::Offer;
using mesos::v1::Resource;
using tests::allocated;
using tests::create;
using tests::destroy;
using tests::grow;
using tests::on_disk;
using tests::reserve;
using tests::reserved;
using tests::resource_of;
using tests::resources_of;
using tests::shrink;
using tests::unreserve;
using tests::volume;
using Type = Offer::Operation;
using Source = Resource::DiskInfo::Source;

base::Result<ResourceSet> after(const Offer::Operation& operation, ResourceSet resources) {
  TRY(const agent::Conversion conversion, agent::convert(operation));
  return agent::apply(conversion, std::move(resources));
}

void expect_set(const ResourceSet& expected, const base::Result<ResourceSet>& actual) {
  ASSERT_TRUE(actual.has_value()) << actual.error().message;
  std::string text;
  for (const auto& resource : actual->list()) text += resource.ShortDebugString() + "\n";
  EXPECT_TRUE(expected == *actual) << text;
}

Resource disk(const char* size) { return resource_of(std::string("disk:") + size); }

TEST(Conversion, ReservesAndUnreserves) {
  const ResourceSet all(resources_of("cpus:4;disk:100"));
  const Resource half = reserved(resource_of("cpus:1.5"), "r");
  const ResourceSet with_half({resource_of("cpus:2.5"), disk("100"), half});
  expect_set(with_half, after(reserve({half}), all));
  expect_set(all, after(unreserve(half), with_half));
}

TEST(Conversion, RefinesReservations) {
  const ResourceSet all(resources_of("cpus(r):4"));
  const Resource refined = reserved(resource_of("cpus(r):1"), "r/s");
  const Resource twice = reserved(refined, "r/s/t");
  const ResourceSet once({resource_of("cpus(r):3"), refined});
  const ResourceSet both({resource_of("cpus(r):3"), twice});
  expect_set(once, after(reserve({refined}), all));
  expect_set(both, after(reserve({twice}), once));
  expect_set(once, after(unreserve(twice), both));
  expect_set(all, after(unreserve(refined), once));
}

TEST(Conversion, ReservesFromASource) {
  const Resource source = reserved(resource_of("cpus:2"), "r");
  const Resource target = reserved(resource_of("cpus:2"), "s");
  expect_set(ResourceSet({target}), after(reserve({target}, {source}), ResourceSet({source})));
  EXPECT_FALSE(after(reserve({target}, {source}), ResourceSet({resource_of("cpus:2")})));
}

TEST(Conversion, CreatesAndDestroysVolumes) {
  const Resource reservation = reserved(disk("64"), "r");
  const Resource path = on_disk(reservation, Source::PATH, "/p");
  const Resource mount = on_disk(reservation, Source::MOUNT, "/m");
  for (const Resource& raw : {reservation, path, mount, resource_of("disk(r):64")}) {
    Resource shared = volume(raw, "v");
    shared.mutable_shared();
    for (const Resource& made : {volume(raw, "v"), shared}) {
      expect_set(ResourceSet({made}), after(create(made), ResourceSet({raw})));
      expect_set(ResourceSet({raw}), after(destroy(made), ResourceSet({made})));
    }
  }
}

TEST(Conversion, ResizesVolumes) {
  const Resource before = volume(reserved(disk("64"), "r"), "v");
  const Resource after_growing = volume(reserved(disk("74.5"), "r"), "v");
  const Resource addition = reserved(disk("10.5"), "r");
  expect_set(ResourceSet({after_growing}),
             after(grow(before, addition), ResourceSet({before, addition})));
  expect_set(ResourceSet({before, addition}),
             after(shrink(after_growing, 10.5), ResourceSet({after_growing})));
}

TEST(Conversion, AllocationsAndOldFormsDoNotCount) {
  Resource old = resource_of("cpus:1");
  old.set_role("r");
  old.mutable_reservation()->set_principal("p");
  const Resource now = reserved(resource_of("cpus:1"), "r");
  for (const Resource& asked : {allocated(now, "r"), old, allocated(old, "r")}) {
    expect_set(ResourceSet({now}), after(reserve({asked}), ResourceSet(resources_of("cpus:1"))));
  }
}

TEST(Conversion, WhatIsNotThereIsAConflict) {
  const auto missing =
      after(reserve({reserved(resource_of("cpus:2"), "r")}), ResourceSet(resources_of("cpus:1")));
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(base::ErrorKind::kConflict, missing.error().kind);
  EXPECT_NE(std::string::npos, missing.error().message.find("cpus"));
}

TEST(Conversion, RefusesWhatMakesNoSense) {
  const Resource reservation = reserved(disk("64"), "r");
  const Resource made = volume(reservation, "v");
  const Resource mount = volume(on_disk(reservation, Source::MOUNT, "/m"), "v");
  const Offer::Operation bad[] = {
      reserve({disk("1")}),  reserve({resource_of("disk(r):1")}),
      unreserve(disk("1")),  unreserve(resource_of("disk(r):1")),
      unreserve(made),       create(reservation),
      destroy(reservation),  grow(reservation, reservation),
      grow(made, disk("1")), grow(mount, on_disk(reservation, Source::MOUNT, "/m")),
      shrink(made, 64),      shrink(made, 65),
      shrink(made, -1),      shrink(mount, 1),
  };
  for (const Offer::Operation& operation : bad) {
    const auto conversion = agent::convert(operation);
    ASSERT_FALSE(conversion.has_value()) << operation.DebugString();
    EXPECT_EQ(base::ErrorKind::kInvalid, conversion.error().kind);
  }
  Offer::Operation launch;
  launch.set_type(Type::LAUNCH);
  EXPECT_EQ(base::ErrorKind::kUnsupported, agent::convert(launch).error().kind);
}

TEST(Substitution, PutsWhatIsCheckpointedInThePlaceOfWhatIsConfigured) {
  const ResourceSet configured(resources_of("cpus:4;cpus(r):2;disk:100"));
  const Resource refined = reserved(reserved(resource_of("cpus(r):1"), "r/s"), "r/s/t");
  const Resource made = volume(reserved(disk("64"), "r"), "v");
  const ResourceSet checkpointed({refined, made});
  const auto total = agent::substitute(configured, checkpointed);
  expect_set(
      ResourceSet({resource_of("cpus:4"), resource_of("cpus(r):1"), disk("36"), refined, made}),
      total);
  EXPECT_TRUE(checkpointed == agent::checkpointed_of(*total));
  EXPECT_FALSE(agent::substitute(ResourceSet(resources_of("disk:60")), checkpointed).has_value());
}

}  // namespace
