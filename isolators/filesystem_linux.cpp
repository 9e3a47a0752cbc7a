#include "isolators/filesystem_linux.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <stop_token>
#include <string>
#include <utility>

#include "base/mount_namespace.h"
#include "base/strings.h"
#include "isolators/volume_place.h"

namespace isolators {

using base::BoundedWork;
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

// Something that the thread in a container's namespace needs: by value, since it may be there when
// the passage has ended long ago.
struct Errand {
  explicit Errand(const auto& passage)
      : sandbox_path(passage.sandbox_path),
        container_path(passage.volume.container_path()),
        read_only(passage.volume.read_only()),
        sandbox(passage.sandbox),
        directory(passage.directory) {}

  std::string sandbox_path;
  std::string container_path;
  bool read_only;
  int sandbox;    // as the agent sees it
  int directory;  // the volume's; -1: it is not there any more
};

Status stop_if(const std::stop_token& given_up) {
  if (given_up.stop_requested()) return fail(ErrorKind::kTimeout, "nobody waits for it any more");
  return {};
}

// In a container's namespace: moves the mount `tree` to the volume's place.
Status move_there(const Errand& errand, int tree, const std::stop_token& given_up) {
  TRY(const Fd sandbox, open_directory(AT_FDCWD, errand.sandbox_path));
  if (!is_same_file(sandbox.get(), errand.sandbox)) {
    return fail("something else is mounted over the sandbox");
  }
  TRY(const Place place, make_place(sandbox.get(), errand.container_path));
  TRY_VOID(stop_if(given_up));
  TRY(const Fd target, make_directory(place.directory.get(), place.name));
  TRY_VOID(stop_if(given_up));
  if (is_same_file(target.get(), errand.directory)) {
    mount_attr writable{};
    writable.attr_clr = MOUNT_ATTR_RDONLY;
    return errand.read_only ? Status() : set_attributes(target.get(), writable);
  }
  TRY_VOID(stop_if(given_up));
  constexpr unsigned kHere = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH;
  if (move_mount(tree, "", target.get(), "", kHere) == 0) return {};
  return base::fail_errno("move_mount");
}

// By its descriptor, wherever it is; fails, which is fine, if it has not been moved there.
void take_back(int tree) {
  if (fchdir(tree) == 0) umount2(".", MNT_DETACH);
}

// In a container's namespace: unmounts what is in the volume's place, if that is the volume.
Status unmount_there(const Errand& errand, bool remove_target, const std::stop_token& given_up) {
  TRY(const Fd sandbox, open_directory(AT_FDCWD, errand.sandbox_path));
  const auto place = find_place(sandbox.get(), errand.container_path);
  if (!place) return {};
  {
    const auto target = open_directory(place->directory.get(), place->name);
    if (!target) return {};
    const bool is_other = errand.directory >= 0 && !is_same_file(target->get(), errand.directory);
    if (is_other) return {};
  }
  // Who still has a file of it open keeps that, as with a link.
  if (fchdir(place->directory.get()) < 0) return base::fail_errno("fchdir");
  TRY_VOID(stop_if(given_up));
  if (umount2(place->name.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL) {
    return base::fail_errno(concat("umount '", place->name, "'"));
  }
  // Later the sandbox may be another container's.
  TRY_VOID(stop_if(given_up));
  if (remove_target) unlinkat(place->directory.get(), place->name.c_str(), AT_REMOVEDIR);
  return {};
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
  deadline_ = Clock::now() + kPatience;
  if (!id.has_parent()) co_return attach_all(id);
  co_return attach_inherited(id);
}

Status FilesystemLinuxIsolator::update(const ContainerId& id, const ContainerConfig& config) {
  deadline_ = Clock::now() + kPatience;
  return VolumeIsolator::update(id, config);
}

// A nested container's namespace starts from the agent's, which has none of the volumes of the
// executor above it.
Status FilesystemLinuxIsolator::attach_inherited(const ContainerId& id) {
  const auto process = processes_.find(id);
  if (process == processes_.end()) return {};
  return for_each_attached(id.root(), [this, &process](const Passage& passage) {
    return mount_in(process->second, passage);
  });
}

// The root's comes first, and must succeed. What a nested container has made of its own namespace
// is not the executor's fault; but what makes the agent wait must not do so a second time, so it
// ends with all that belongs to it.
Status FilesystemLinuxIsolator::attach(const Passage& passage) {
  const auto root = processes_.find(passage.id);
  if (root == processes_.end()) return {};
  TRY_VOID(mount_in(root->second, passage));
  for (auto& [id, process] : processes_) {
    if (!passage.id.is_ancestor_of(id)) continue;
    auto mounted = mount_in(process, passage);
    if (!mounted && mounted.error().kind == ErrorKind::kTimeout) return mounted;
  }
  return {};
}

// The mount point goes last: where something is mounted on it still, it would take that along.
Status FilesystemLinuxIsolator::detach(const Passage& passage) {
  for (const auto& [id, process] : processes_) {
    if (!passage.id.is_ancestor_of(id)) continue;
    auto unmounted = unmount_in(process, passage, false);
    if (!unmounted && unmounted.error().kind == ErrorKind::kTimeout) return unmounted;
  }
  const auto root = processes_.find(passage.id);
  return root == processes_.end() ? Status() : unmount_in(root->second, passage, true);
}

Status FilesystemLinuxIsolator::mount_in(Process& process, const Passage& passage) const {
  if (process.pidfd.expired()) return {};
  TRY(const Fd tree, clone_mount(passage.directory, passage.volume.read_only()));
  BoundedWork work;
  const auto detached = std::make_shared<std::atomic<bool>>(process.is_detached);
  work.run = [errand = Errand(passage), tree = tree.get(),
              detached](const std::stop_token& given_up) -> Status {
    // What is mounted below a shared mount would appear in the host's namespace as well. The helper
    // does the same when it comes to it; containers may later share what they like.
    if (!*detached) {
      if (::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0) {
        return base::fail_errno("make slave '/'");
      }
      *detached = true;
    }
    return move_there(errand, tree, given_up);
  };
  work.undo = [tree = tree.get()] { take_back(tree); };
  work.descriptors = {tree.get(), passage.sandbox, passage.directory};
  Status moved = run_in(process, std::move(work));
  process.is_detached = *detached;
  return moved;
}

Status FilesystemLinuxIsolator::unmount_in(const Process& process, const Passage& passage,
                                           bool remove_target) const {
  BoundedWork work;
  work.run = [errand = Errand(passage), remove_target](const std::stop_token& given_up) {
    return unmount_there(errand, remove_target, given_up);
  };
  work.descriptors = {passage.directory};
  return run_in(process, std::move(work));
}

// Who has ended needs no volumes.
Status FilesystemLinuxIsolator::run_in(const Process& process, BoundedWork work) const {
  const auto pidfd = process.pidfd.lock();
  if (pidfd == nullptr) return {};
  Status done = fail(ErrorKind::kTimeout, "");
  if (const auto left = deadline_ - Clock::now(); left.count() > 0) {
    done = base::run_in_mount_namespace(pidfd->get(), std::move(work), left);
  }
  if (done || done.error().kind == ErrorKind::kClosed) return {};
  if (done.error().kind != ErrorKind::kTimeout) return done;
  return fail(ErrorKind::kTimeout, concat("a file system of the container has not answered within ",
                                          kPatience.count(), " s"));
}

}  // namespace isolators
