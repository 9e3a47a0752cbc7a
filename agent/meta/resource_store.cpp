#include "agent/meta/resource_store.h"

#include <cstdio>
#include <utility>

#include "agent/meta/volumes.h"
#include "agent/resource_format.h"
#include "agent/resource_set.h"
#include "base/files.h"
#include "base/strings.h"
#include "proto/record.h"

namespace agent {

using base::concat;
using base::Durability;
using base::Status;
using mesos::internal::ResourceState;

namespace {

Status write(const std::string& path, std::string_view content) {
  return base::write_file_atomic(path, content, Durability::kProcessCrash, 0600);
}

Status rename_to(const std::string& from, const std::string& to) {
  if (std::rename(from.c_str(), to.c_str()) == 0) return {};
  return base::fail_errno(concat("rename '", from, "'"));
}

// For agents that do not know the file with operations in it: one record for each resource.
base::Result<std::string> resource_list(ResourceState state) {
  downgrade_resources(state);
  std::string list;
  for (const auto& resource : state.resources()) {
    TRY(const std::string record, proto::make_record(resource));
    list += record;
  }
  return list;
}

// Without operations, whose resources need not be in the same form.
ResourceState resources_only(const ResourceState& state) {
  ResourceState resources;
  *resources.mutable_resources() = state.resources();
  return resources;
}

}  // namespace

Status ResourceStore::recover(const RecoveredResources& recovered) {
  committed_ = recovered.committed;
  if (!recovered.target) return {};
  TRY_VOID(begin_anyhow(*recovered.target, true));
  return deletes_volumes() ? Status() : go_through();
}

Status ResourceStore::commit(const ResourceState& target) {
  TRY_VOID(begin(target));
  return go_through();
}

Status ResourceStore::go_through() {
  if (const auto work = volume_work()) TRY_VOID(work());
  return conclude();
}

Status ResourceStore::begin(const ResourceState& target) {
  if (change_) return base::fail("Another commit has not come to its end");
  if (target.SerializeAsString() == committed_.SerializeAsString()) return {};
  const bool same_resources =
      resources_only(target).SerializeAsString() == resources_only(committed_).SerializeAsString();
  return begin_anyhow(target, !same_resources);
}

Status ResourceStore::begin_anyhow(const ResourceState& target, bool with_resources) {
  TRY(const std::string state, proto::make_record(target));
  TRY(const std::string list, resource_list(resources_only(target)));
  TRY_VOID(check_volumes(paths_.work_dir(), ResourceSet(target.resources())));
  TRY_VOID(base::make_directories(paths_.resources_dir()));
  TRY_VOID(write(paths_.operations_target(), state));
  if (with_resources) TRY_VOID(write(paths_.resources_target(), list));
  change_ = Change{target, with_resources};
  return {};
}

std::function<Status()> ResourceStore::volume_work(const std::stop_token& stop) const {
  if (!change_ || !change_->with_resources) return {};
  return [stop, work_dir = paths_.work_dir(), before = ResourceSet(committed_.resources()),
          after = ResourceSet(change_->target.resources())] {
    return sync_volumes(work_dir, before, after, stop);
  };
}

bool ResourceStore::deletes_volumes() const {
  return change_ && change_->with_resources &&
         agent::deletes_volumes(paths_.work_dir(), ResourceSet(committed_.resources()),
                                ResourceSet(change_->target.resources()));
}

Status ResourceStore::conclude() {
  if (!change_) return {};
  if (change_->with_resources) {
    TRY_VOID(rename_to(paths_.resources_target(), paths_.resources_info()));
  }
  TRY_VOID(rename_to(paths_.operations_target(), paths_.operations_state()));
  committed_ = std::move(change_->target);
  change_.reset();
  return {};
}

}  // namespace agent
