#include "agent/resource_set.h"

#include <gtest/gtest.h>

#include "agent/resource_format.h"
#include "agent/resource_values.h"
#include "proto/mesos/v1/tasks.pb.h"
#include "tests/agent/resources.h"

namespace {

using agent::ResourceSet;
using mesos::v1::Resource;
using tests::allocated;
using tests::on_disk;
using tests::reserved;
using tests::resource_of;
using tests::resources_of;
using tests::volume;
using Source = Resource::DiskInfo::Source;

TEST(ResourceSet, AddsUpWhatIsOfOneKind) {
  ResourceSet set(resources_of("cpus:1;mem:10;ports:[1-5]"));
  set.add(resource_of("cpus:0.1"));
  set.add(resource_of("cpus:0.2"));
  set.add(resource_of("ports:[6-7,20-30]"));
  set.add(resource_of("cpus(r):1"));
  set.add(resource_of("mem:0"));
  ASSERT_EQ(4U, set.list().size());
  EXPECT_EQ(1.3, set.list()[0].scalar().value());
  EXPECT_EQ(10, set.list()[1].scalar().value());
  EXPECT_EQ(2, set.list()[2].ranges().range_size());
  EXPECT_EQ("r", set.list()[3].reservations(0).role());
}

TEST(ResourceSet, RemovesWhatItHas) {
  ResourceSet set(resources_of("cpus:0.3;ports:[1-10,20-30];labels:{a,b,c}"));
  EXPECT_FALSE(set.remove(resource_of("cpus:0.301")));
  EXPECT_FALSE(set.remove(resource_of("cpus(r):0.1")));
  EXPECT_FALSE(set.remove(resource_of("ports:[10-20]")));
  EXPECT_FALSE(set.remove(resource_of("labels:{a,d}")));
  EXPECT_FALSE(set.remove(resource_of("gpus:1")));
  EXPECT_TRUE(set.remove(resource_of("cpus:0.1")));
  EXPECT_TRUE(set.remove(resource_of("ports:[1-1,5-6,30-30]")));
  EXPECT_TRUE(set.remove(resource_of("labels:{a,c}")));
  EXPECT_TRUE(set == ResourceSet(resources_of("labels:{b};ports:[2-4,7-10,20-29];cpus:0.2")));
  EXPECT_TRUE(set.remove(resource_of("cpus:0.2")));
  EXPECT_TRUE(set.remove(resource_of("ports:[2-29]")) == false);
  EXPECT_TRUE(set.remove(resource_of("ports:[2-4,7-10,20-29]")));
  EXPECT_TRUE(set.remove(resource_of("labels:{b}")));
  EXPECT_TRUE(set.empty());
  EXPECT_TRUE(set.remove(resource_of("cpus:0")));
}

TEST(ResourceSet, RangesUpToTheGreatestNumber) {
  ResourceSet set(resources_of("ports:[0-18446744073709551615]"));
  EXPECT_TRUE(set.remove(resource_of("ports:[0-0,18446744073709551615-18446744073709551615]")));
  EXPECT_TRUE(set == ResourceSet(resources_of("ports:[1-18446744073709551614]")));
}

TEST(ResourceSet, ComparesRegardlessOfOrder) {
  EXPECT_TRUE(ResourceSet(resources_of("cpus:1;mem:2")) ==
              ResourceSet(resources_of("mem:2;cpus:1")));
  EXPECT_FALSE(ResourceSet(resources_of("cpus:1;mem:2")) == ResourceSet(resources_of("cpus:1")));
  EXPECT_TRUE(ResourceSet(resources_of("cpus:1;mem:2")).contains(resource_of("mem:1.5")));
}

TEST(ResourceSet, VolumesAreWholes) {
  const Resource disk = reserved(resource_of("disk:10"), "r");
  ResourceSet set({volume(disk, "a"), volume(disk, "b"), disk, disk});
  ASSERT_EQ(3U, set.list().size());
  EXPECT_EQ(20, set.list()[2].scalar().value());
  EXPECT_FALSE(set.remove(volume(reserved(resource_of("disk:5"), "r"), "a")));
  EXPECT_TRUE(set.remove(volume(disk, "a")));
  EXPECT_FALSE(set.contains(volume(disk, "a")));
}

TEST(ResourceSet, MountsAreWholes) {
  const Resource disk = on_disk(resource_of("disk:10"), Source::MOUNT, "/m");
  ResourceSet set({disk, on_disk(resource_of("disk:10"), Source::PATH, "/p")});
  EXPECT_FALSE(set.remove(on_disk(resource_of("disk:5"), Source::MOUNT, "/m")));
  EXPECT_TRUE(set.remove(on_disk(resource_of("disk:5"), Source::PATH, "/p")));
  EXPECT_FALSE(set.remove(on_disk(resource_of("disk:5"), Source::PATH, "/q")));
  EXPECT_TRUE(set.remove(disk));
}

TEST(ResourceSet, HowAVolumeIsUsedDoesNotCount) {
  const Resource one = volume(reserved(resource_of("disk:10"), "r"), "a");
  Resource other = one;
  other.mutable_disk()->mutable_volume()->set_container_path("elsewhere");
  other.mutable_disk()->mutable_persistence()->set_principal("q");
  EXPECT_TRUE(agent::same_kind(one, other));
  other.mutable_disk()->mutable_persistence()->set_id("b");
  EXPECT_FALSE(agent::same_kind(one, other));
}

TEST(ResourceSet, OrderOfLabelsDoesNotCount) {
  const auto labelled = [](std::vector<const char*> keys) {
    Resource resource = reserved(resource_of("cpus:1"), "r");
    for (const char* key : keys) {
      resource.mutable_reservations(0)->mutable_labels()->add_labels()->set_key(key);
    }
    return resource;
  };
  EXPECT_TRUE(agent::same_kind(labelled({"a", "b"}), labelled({"b", "a"})));
  EXPECT_FALSE(agent::same_kind(labelled({"a", "b"}), labelled({"a"})));
}

TEST(ResourceSet, KnowsWhatNeedsACheckpoint) {
  EXPECT_FALSE(agent::needs_checkpoint(resource_of("cpus:1")));
  EXPECT_FALSE(agent::needs_checkpoint(resource_of("cpus(r):1")));
  EXPECT_TRUE(agent::needs_checkpoint(reserved(resource_of("cpus:1"), "r")));
  EXPECT_TRUE(agent::needs_checkpoint(reserved(resource_of("cpus(r):1"), "r/s")));
  EXPECT_TRUE(agent::needs_checkpoint(volume(resource_of("disk(r):1"), "v")));
  Resource provided = reserved(resource_of("disk:1"), "r");
  provided.mutable_provider_id()->set_value("provider");
  EXPECT_FALSE(agent::needs_checkpoint(provided));
}

TEST(ResourceFormat, GoesBothWays) {
  mesos::v1::Task task;
  for (const Resource& resource :
       {resource_of("cpus:1"), resource_of("cpus(r):1"), reserved(resource_of("cpus:1"), "r"),
        allocated(volume(reserved(resource_of("disk:1"), "r"), "v"), "r")}) {
    *task.add_resources() = resource;
  }
  const std::string now = task.DebugString();
  ASSERT_TRUE(agent::downgrade_resources(task));
  EXPECT_EQ("*", task.resources(0).role());
  EXPECT_TRUE(task.resources(0).has_role());
  EXPECT_EQ("r", task.resources(1).role());
  EXPECT_FALSE(task.resources(1).has_reservation());
  EXPECT_EQ("r", task.resources(2).role());
  EXPECT_EQ("p", task.resources(2).reservation().principal());
  EXPECT_FALSE(task.resources(2).reservation().has_role());
  EXPECT_FALSE(task.resources(2).reservation().has_type());
  for (const Resource& resource : task.resources()) EXPECT_EQ(0, resource.reservations_size());
  agent::upgrade_resources(task);
  EXPECT_EQ(now, task.DebugString());
  agent::upgrade_resources(task);
  EXPECT_EQ(now, task.DebugString());
}

TEST(ResourceFormat, RefinedReservationsStay) {
  mesos::v1::Task task;
  *task.add_resources() = resource_of("cpus:1");
  *task.add_resources() = reserved(resource_of("cpus(r):1"), "r/s");
  const std::string before = task.DebugString();
  EXPECT_FALSE(agent::downgrade_resources(task));
  EXPECT_EQ(before, task.DebugString());
}

}  // namespace
