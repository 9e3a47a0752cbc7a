#include "isolators/cgroups/cgroups.h"

#include <pwd.h>
#include <unistd.h>

#include <utility>

#include "base/files.h"
#include "base/strings.h"

namespace isolators {

using base::concat;
using base::Status;
using base::Task;

namespace {

// The directory between a container's group and those of its children, as in Apache Mesos.
constexpr std::string_view kNestingSeparator = "mesos";

}  // namespace

CgroupsIsolator::~CgroupsIsolator() = default;

bool CgroupsIsolator::owns_groups(const ContainerId& id, const ContainerConfig& config) {
  if (!id.has_parent()) return true;
  if (is_debug(config)) return false;
  return config.has_container_info() && config.container_info().has_linux_info() &&
         !config.container_info().linux_info().share_cgroups();
}

const CgroupsIsolator::Owner* CgroupsIsolator::nearest_owner(ContainerId id) const {
  while (true) {
    auto at = owners_.find(id);
    if (at != owners_.end()) return &at->second;
    if (!id.has_parent()) return nullptr;
    id = id.parent();
  }
}

Task<Status> CgroupsIsolator::prepare(const ContainerId& id, const ContainerConfig& config,
                                      LaunchSpec* spec) {
  if (owns_groups(id, config)) CO_TRY_VOID(make_groups(id, config));
  const Owner* owner = nearest_owner(id);
  if (owner == nullptr) co_return base::fail(concat("No cgroup is known for ", id.to_string()));
  for (const auto& subsystem : subsystems_) {
    CO_TRY(base::Fd entrance, subsystem->hierarchy().open_entrance(owner->group));
    spec->groups.push_back(std::move(entrance));
  }
  co_return {};
}

Status CgroupsIsolator::make_groups(const ContainerId& id, const ContainerConfig& config) {
  Owner owner{id.to_path(kNestingSeparator), std::make_unique<ContainerConfig>(config)};
  const Owner& known = owners_.insert_or_assign(id, std::move(owner)).first->second;
  for (const auto& subsystem : subsystems_) {
    TRY_VOID(subsystem->hierarchy().create(known.group));
    subsystem->start_counting(known.group);
    if (!config.has_user()) continue;
    // The container's user may divide its own group further.
    if (const passwd* user = getpwnam(config.user().c_str())) {
      const std::string directory =
          base::join_path(subsystem->hierarchy().directory(), known.group);
      if (chown(directory.c_str(), user->pw_uid, user->pw_gid) < 0) {
        return base::fail_errno(concat("chown '", directory, "'"));
      }
    }
  }
  return write_limits(known.group, config);
}

Status CgroupsIsolator::write_limits(const std::string& group, const ContainerConfig& config) {
  std::string failures;
  for (const auto& subsystem : subsystems_) {
    auto updated = subsystem->update(group, config);
    if (updated) continue;
    if (!failures.empty()) failures += "; ";
    failures += concat("Failed to update subsystem '", subsystem->controller(),
                       "': ", updated.error().message);
  }
  if (!failures.empty()) return base::fail("Failed to update subsystems: " + failures);
  return {};
}

Task<Status> CgroupsIsolator::isolate(const ContainerId& id, pid_t pid) {
  const auto own = owners_.find(id);
  if (own == owners_.end()) co_return {};
  const auto asked = std::exchange(own->second.asked, nullptr);
  if (asked == nullptr) co_return {};
  for (const auto& subsystem : subsystems_) {
    CO_TRY_VOID(subsystem->isolate(id, *asked, pid));
  }
  co_return {};
}

Status CgroupsIsolator::update(const ContainerId& id, const ContainerConfig& config) {
  const auto own = owners_.find(id);
  if (own == owners_.end()) return {};
  return write_limits(own->second.group, config);
}

std::optional<Task<Limitation>> CgroupsIsolator::watch(const ContainerId& id) {
  auto at = owners_.find(id);
  if (at == owners_.end()) return std::nullopt;
  std::vector<Task<Limitation>> watches;
  for (const auto& subsystem : subsystems_) {
    if (auto watch = subsystem->watch(at->second.group)) watches.push_back(*std::move(watch));
  }
  if (watches.empty()) return std::nullopt;
  return first_limitation(std::move(watches));
}

std::optional<Limitation> CgroupsIsolator::limitation_at_end(const ContainerId& id) {
  auto at = owners_.find(id);
  if (at == owners_.end()) return std::nullopt;
  for (const auto& subsystem : subsystems_) {
    if (auto limitation = subsystem->limitation_at_end(at->second.group)) return limitation;
  }
  return std::nullopt;
}

UsageReader CgroupsIsolator::usage_reader(const ContainerId& id) {
  auto at = owners_.find(id);
  if (at == owners_.end()) return nullptr;
  std::vector<UsageReader> readers;
  for (const auto& subsystem : subsystems_) {
    if (auto reader = subsystem->usage_reader(at->second.group)) readers.push_back(reader);
  }
  return [readers = std::move(readers)](mesos::v1::ResourceStatistics* statistics) {
    for (const auto& reader : readers) reader(statistics);
  };
}

Task<Status> CgroupsIsolator::cleanup(const ContainerId& id) {
  auto at = owners_.find(id);
  if (at == owners_.end()) co_return {};
  // Goes on after a failure, so that as much as possible goes.
  Status result;
  for (const auto& subsystem : subsystems_) {
    subsystem->stop_counting(at->second.group);
    auto removed = subsystem->hierarchy().remove(at->second.group);
    if (!removed && result) result = std::move(removed);
  }
  if (result) owners_.erase(at);
  co_return result;
}

Status CgroupsIsolator::recover(const ContainerId& id, const ContainerConfig& config) {
  if (!owns_groups(id, config)) return {};
  const Owner& owner =
      owners_.insert_or_assign(id, Owner{id.to_path(kNestingSeparator)}).first->second;
  for (const auto& subsystem : subsystems_) subsystem->start_counting(owner.group);
  return {};
}

}  // namespace isolators
