#include "isolators/filesystem_linux.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>

#include "base/mount_namespace.h"
#include "base/strings.h"
#include "isolators/volume_place.h"

namespace isolators {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Fd;
using base::Result;
using base::Status;
using base::Task;

namespace {

Status set_attributes(int fd, mount_attr attributes) {
  if (mount_setattr(fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) == 0) return {};
  return base::fail_errno("mount_setattr");
}

// A mount of the directory that is nowhere yet. It is read-only, if it is to be, before anybody can
// reach it; what a container mounts in it stays in the container.
Result<Fd> clone_mount(int directory, bool read_only) {
  Fd tree(open_tree(directory, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
  if (!tree) return base::fail_errno("open_tree");
  mount_attr attributes{};
  attributes.attr_set = read_only ? MOUNT_ATTR_RDONLY : 0;
  attributes.propagation = MS_SLAVE;
  TRY_VOID(set_attributes(tree.get(), attributes));
  return tree;
}

}  // namespace

Task<Status> FilesystemLinuxIsolator::prepare(const ContainerId& id, const ContainerConfig& config,
                                              LaunchSpec* spec) {
  if (is_debug(config)) {
    if (config.container_info().volumes_size() > 0) {
      co_return fail(ErrorKind::kInvalid, "Volumes not supported for DEBUG containers");
    }
    spec->enter_namespaces |= CLONE_NEWNS;
    co_return {};
  }
  spec->clone_namespaces |= CLONE_NEWNS;
  spec->detach_mounts = true;
  processes_.erase(id);
  expect_anew(id, config);
  co_return {};
}

void FilesystemLinuxIsolator::set_process(const ContainerId& id, const ContainerConfig& config,
                                          const std::shared_ptr<const Fd>& pidfd) {
  if (!is_debug(config)) processes_[id].pidfd = pidfd;
}

Status FilesystemLinuxIsolator::recover(const ContainerId& id, const ContainerConfig& config) {
  if (!is_debug(config)) processes_[id].is_detached = true;
  return VolumeIsolator::recover(id, config);
}

Task<Status> FilesystemLinuxIsolator::cleanup(const ContainerId& id) {
  processes_.erase(id);
  co_return co_await VolumeIsolator::cleanup(id);
}

Task<Status> FilesystemLinuxIsolator::isolate(const ContainerId& id, pid_t) {
  if (!id.has_parent()) co_return attach_all(id);
  co_return attach_inherited(id);
}

// A nested container's namespace starts from the agent's, which has none of the volumes of the
// executor above it.
Status FilesystemLinuxIsolator::attach_inherited(const ContainerId& id) {
  const auto process = processes_.find(id);
  if (process == processes_.end()) return {};
  return for_each_attached(
      id.root(), [&process](const Passage& passage) { return mount_in(process->second, passage); });
}

// The root's comes first, and must succeed. What a nested container has made of its own namespace
// is not the executor's fault.
Status FilesystemLinuxIsolator::attach(const Passage& passage) {
  const auto root = processes_.find(passage.id);
  if (root == processes_.end()) return {};
  TRY_VOID(mount_in(root->second, passage));
  for (auto& [id, process] : processes_) {
    if (passage.id.is_ancestor_of(id)) (void)mount_in(process, passage);
  }
  return {};
}

Status FilesystemLinuxIsolator::mount_in(Process& process, const Passage& passage) {
  const auto pidfd = process.pidfd.lock();
  if (pidfd == nullptr) return {};
  TRY(const Fd tree, clone_mount(passage.directory, passage.volume.read_only()));
  const auto mount = [&]() -> Status {
    // What is mounted below a shared mount would appear in the host's namespace as well. The helper
    // does the same when it comes to it; containers may later share what they like.
    if (!process.is_detached) {
      if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0) {
        return base::fail_errno("make slave '/'");
      }
      process.is_detached = true;
    }
    TRY(const Fd sandbox, open_directory(AT_FDCWD, passage.sandbox_path));
    if (!is_same_file(sandbox.get(), passage.sandbox)) {
      return fail("something else is mounted over the sandbox");
    }
    TRY(const Place place, make_place(sandbox.get(), passage.volume.container_path()));
    TRY(const Fd target, make_directory(place.directory.get(), place.name));
    if (is_same_file(target.get(), passage.directory)) {
      mount_attr writable{};
      writable.attr_clr = MOUNT_ATTR_RDONLY;
      return passage.volume.read_only() ? Status() : set_attributes(target.get(), writable);
    }
    constexpr unsigned kHere = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
    if (move_mount(tree.get(), "", target.get(), "", kHere) == 0) return {};
    return base::fail_errno("move_mount");
  };
  Status mounted = base::run_in_mount_namespace(pidfd->get(), mount);
  // Who has ended needs no volumes.
  if (!mounted && mounted.error().kind == ErrorKind::kClosed) return {};
  return mounted;
}

Status FilesystemLinuxIsolator::unmount_in(const Process& process, const Passage& passage,
                                           bool remove_target) {
  const auto pidfd = process.pidfd.lock();
  if (pidfd == nullptr) return {};
  const auto unmount = [&]() -> Status {
    TRY(const Fd sandbox, open_directory(AT_FDCWD, passage.sandbox_path));
    const auto place = find_place(sandbox.get(), passage.volume.container_path());
    if (!place) return {};
    {
      const auto target = open_directory(place->directory.get(), place->name);
      if (!target) return {};
      const bool is_other =
          passage.directory >= 0 && !is_same_file(target->get(), passage.directory);
      if (is_other) return {};
    }
    // Who still has a file of it open keeps that, as with a link.
    if (fchdir(place->directory.get()) < 0) return base::fail_errno("fchdir");
    if (umount2(place->name.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL) {
      return base::fail_errno(concat("umount '", place->name, "'"));
    }
    if (remove_target) unlinkat(place->directory.get(), place->name.c_str(), AT_REMOVEDIR);
    return {};
  };
  Status unmounted = base::run_in_mount_namespace(pidfd->get(), unmount);
  if (!unmounted && unmounted.error().kind == ErrorKind::kClosed) return {};
  return unmounted;
}

// The mount point goes last: where something is mounted on it still, it would take that along.
Status FilesystemLinuxIsolator::detach(const Passage& passage) {
  for (const auto& [id, process] : processes_) {
    if (passage.id.is_ancestor_of(id)) (void)unmount_in(process, passage, false);
  }
  const auto root = processes_.find(passage.id);
  return root == processes_.end() ? Status() : unmount_in(root->second, passage, true);
}

}  // namespace isolators
