#include "isolators/volume_isolator.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "isolators/volume_place.h"

namespace isolators {

using base::concat;
using base::Fd;
using base::Result;
using base::Status;
using base::Task;

namespace {

bool is_same(const PersistentVolume& a, const PersistentVolume& b) {
  return a.host_path() == b.host_path() && a.container_path() == b.container_path();
}

// Whether `have` is as good as `wanted`. What was writable stays so: who has opened a file in it
// would keep that all the same.
bool serves(const PersistentVolume& have, const PersistentVolume& wanted) {
  return is_same(have, wanted) && (!have.read_only() || wanted.read_only());
}

auto with_context(base::Error error, const char* what, const PersistentVolume& volume) {
  return base::fail(std::move(error).with_context(
      concat("Failed to ", what, " the persistent volume '", volume.host_path(), "' at '",
             volume.container_path(), "'")));
}

}  // namespace

void VolumeIsolator::expect(const ContainerId& id, const ContainerConfig& config) {
  if (config.volumes().empty() && !known_.contains(id)) return;
  Known& known = known_[id];
  known.sandbox = config.directory();
  known.wanted.assign(config.volumes().begin(), config.volumes().end());
}

void VolumeIsolator::expect_anew(const ContainerId& id, const ContainerConfig& config) {
  known_.erase(id);
  expect(id, config);
}

Status VolumeIsolator::update(const ContainerId& id, const ContainerConfig& config) {
  expect(id, config);
  return attach_all(id);
}

Task<Status> VolumeIsolator::cleanup(const ContainerId& id) {
  known_.erase(id);
  co_return {};
}

// Should the last run have been killed in the midst of an update, the next update does the rest:
// attaching and detaching again is fine.
Status VolumeIsolator::recover(const ContainerId& id, const ContainerConfig& config) {
  expect(id, config);
  const auto at = known_.find(id);
  if (at == known_.end()) return {};
  at->second.attached = at->second.wanted;
  at->second.is_unsure = config.volumes_change();
  return {};
}

Status VolumeIsolator::for_each_attached(const ContainerId& id,
                                         const std::function<Status(const Passage&)>& f) const {
  const auto at = known_.find(id);
  if (at == known_.end() || at->second.attached.empty()) return {};
  const Known& known = at->second;
  TRY(const Fd sandbox, open_directory(AT_FDCWD, known.sandbox));
  for (const auto& volume : known.attached) {
    TRY(const Fd directory, open_directory(AT_FDCWD, volume.host_path()));
    Status done = f({id, known.sandbox, sandbox.get(), volume, directory.get()});
    if (!done) return with_context(std::move(done).error(), "provide", volume);
  }
  return {};
}

Status VolumeIsolator::attach_all(const ContainerId& id) {
  const auto at = known_.find(id);
  if (at == known_.end()) return {};
  TRY(const Fd sandbox, open_directory(AT_FDCWD, at->second.sandbox));
  TRY_VOID(take_away(id, at->second, sandbox.get()));
  return give(id, at->second, sandbox.get());
}

Status VolumeIsolator::take_away(const ContainerId& id, Known& known, int sandbox) {
  for (auto volume = known.attached.begin(); volume != known.attached.end();) {
    const auto same = [&volume](const auto& wanted) { return is_same(*volume, wanted); };
    if (std::ranges::any_of(known.wanted, same)) {
      ++volume;
      continue;
    }
    const auto directory = open_directory(AT_FDCWD, volume->host_path());
    const int fd = directory ? directory->get() : -1;
    auto detached = detach({id, known.sandbox, sandbox, *volume, fd});
    if (!detached) return with_context(std::move(detached).error(), "remove", *volume);
    volume = known.attached.erase(volume);
  }
  return {};
}

Status VolumeIsolator::give(const ContainerId& id, Known& known, int sandbox) {
  for (const auto& wanted : known.wanted) {
    const auto have = std::ranges::find_if(
        known.attached, [&wanted](const auto& volume) { return is_same(volume, wanted); });
    const bool is_new = have == known.attached.end();
    if (!is_new && !known.is_unsure && serves(*have, wanted)) continue;
    auto directory = open_directory(AT_FDCWD, wanted.host_path());
    if (!directory) return with_context(std::move(directory).error(), "provide", wanted);
    Status given;
    if (is_new || known.is_unsure) given = give_to_user(id, wanted, sandbox, directory->get());
    if (given) given = attach({id, known.sandbox, sandbox, wanted, directory->get()});
    if (!given) return with_context(std::move(given).error(), "provide", wanted);
    if (is_new) {
      known.attached.push_back(wanted);
    } else {
      *have = wanted;
    }
  }
  known.is_unsure = false;
  return {};
}

// The volume's directory, not what is in it, becomes the sandbox's owner's, as in Mesos: unless
// that is root, who may write anyway, or it is shared and another container has it at present.
Status VolumeIsolator::give_to_user(const ContainerId& id, const PersistentVolume& volume,
                                    int sandbox, int directory) const {
  const auto has_it = [&](const auto& entry) {
    return entry.first != id &&
           std::ranges::any_of(entry.second.attached, [&volume](const auto& other) {
             return other.host_path() == volume.host_path();
           });
  };
  if (volume.shared() && std::ranges::any_of(known_, has_it)) return {};
  struct stat owner{};
  if (fstat(sandbox, &owner) < 0) return base::fail_errno("stat of the sandbox");
  if (owner.st_uid == 0) return {};
  if (fchownat(directory, "", owner.st_uid, owner.st_gid, AT_EMPTY_PATH) < 0) {
    return base::fail_errno(concat("chown '", volume.host_path(), "'"));
  }
  return {};
}

}  // namespace isolators
