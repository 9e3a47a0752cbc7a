// Resources as an agent counts with them: what is of one kind is one entry with one value.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <vector>

#include "proto/mesos/v1/resources.pb.h"

namespace agent {

// Whether they differ in nothing but the value: the same name, type, reservations, allocation, disk
// and so on. How a disk is mounted (disk.volume) and who made a volume do not count, nor does the
// order of labels.
bool same_kind(const mesos::v1::Resource& a, const mesos::v1::Resource& b);

// Whether one can be added to the other to make one resource: not so for a persistent volume and a
// MOUNT, BLOCK or RAW disk, each of which is a whole.
bool addable(const mesos::v1::Resource& a, const mesos::v1::Resource& b);

// A persistent volume, or dynamically reserved: the agent must remember it, because its flags do
// not say so. Not if a resource provider does.
bool needs_checkpoint(const mesos::v1::Resource& resource);

class ResourceSet {
 public:
  ResourceSet() = default;
  explicit ResourceSet(const std::vector<mesos::v1::Resource>& resources) { add_all(resources); }
  explicit ResourceSet(const google::protobuf::RepeatedPtrField<mesos::v1::Resource>& resources) {
    add_all(resources);
  }

  // Brings it into the present form (agent/resource_format.h). Nothing happens for an empty one.
  void add(mesos::v1::Resource resource);
  template <typename List>
  void add_all(const List& resources) {
    for (const mesos::v1::Resource& resource : resources) add(resource);
  }

  // Takes it out. False, and nothing happens, if it is not in the set.
  bool remove(mesos::v1::Resource resource);

  bool contains(const mesos::v1::Resource& resource) const;
  bool contains(const ResourceSet& others) const;

  // In the order in which the kinds were added.
  const std::vector<mesos::v1::Resource>& list() const { return entries_; }
  bool empty() const { return entries_.empty(); }
  google::protobuf::RepeatedPtrField<mesos::v1::Resource> to_proto() const {
    return {entries_.begin(), entries_.end()};
  }

  friend bool operator==(const ResourceSet& a, const ResourceSet& b) {
    return a.contains(b) && b.contains(a);
  }

 private:
  // Where the entry is that the resource is a part of, or equal to; the end if there is none.
  size_t find(const mesos::v1::Resource& resource) const;

  std::vector<mesos::v1::Resource> entries_;
};

}  // namespace agent
