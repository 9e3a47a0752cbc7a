#include "agent/meta/volumes.h"

#include <glog/logging.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <iterator>
#include <map>

#include "agent/meta/paths.h"
#include "agent/resource_summary.h"
#include "agent/role.h"
#include "base/files.h"
#include "base/strings.h"
#include "base/uuid.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::join_path;
using base::Result;
using base::Status;
using mesos::v1::Resource;

namespace {

using Source = Resource::DiskInfo::Source;

// The operator's word, but deleting starts there: nothing that means another place than it says.
Status check_root(const std::string& root) {
  const auto parts = base::split(root, '/');
  const bool names_something = std::ranges::any_of(
      parts, [](std::string_view part) { return !part.empty() && part != "."; });
  if (!names_something || std::ranges::find(parts, "..") != parts.end()) {
    return fail(ErrorKind::kInvalid, concat("'", root, "' cannot be the root of a disk"));
  }
  return {};
}

// A relative root is below work_dir.
std::string absolute_root(const std::string& work_dir, const std::string& root) {
  return root.starts_with('/') ? root : join_path(work_dir, root);
}

// As /proc/mounts writes a path: blanks and backslashes as octal numbers.
std::string escape_mount(std::string_view path) {
  std::string escaped;
  for (const char c : path) {
    switch (c) {
      case ' ':
        escaped += "\\040";
        break;
      case '\t':
        escaped += "\\011";
        break;
      case '\n':
        escaped += "\\012";
        break;
      case '\\':
        escaped += "\\134";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

Status check_mounted(std::string_view root) {
  while (root.ends_with('/')) root.remove_suffix(1);
  TRY(const std::string mounts, base::read_file("/proc/mounts"));
  const std::string wanted = escape_mount(root);
  for (const std::string_view line : base::split(mounts, '\n')) {
    const auto words = base::split(line, ' ');  // device, mount point, ...
    if (words.size() > 1 && words[1] == wanted) return {};
  }
  return fail(ErrorKind::kInvalid, concat("'", root,
                                          "' is the root of a MOUNT disk, and nothing is "
                                          "mounted there"));
}

// <base>/volumes/roles/<role, with blanks for slashes>/<id>
Result<std::string> path_below(const std::string& base, const Resource& volume) {
  const std::string& id = volume.disk().persistence().id();
  TRY_VOID(check_path_id(id));
  std::string role = reserved_role(volume);
  TRY_VOID(check_role(role));
  std::ranges::replace(role, '/', ' ');
  TRY_VOID(check_path_id(role));
  return concat(join_path(base, "volumes/roles"), "/", role, "/", id);
}

// The volumes by their paths.
Result<std::map<std::string, const Resource*>> volumes_in(const std::string& work_dir,
                                                          const ResourceSet& resources) {
  std::map<std::string, const Resource*> volumes;
  for (const Resource& resource : resources.list()) {
    if (!resource.disk().has_persistence() || resource.has_provider_id()) continue;
    TRY(const std::string path, volume_path(work_dir, resource));
    volumes.emplace(path, &resource);
  }
  return volumes;
}

// Who has kept a destroyed volume open may go on writing to it, or have mounted something there, or
// made something immutable.
bool cannot_be_deleted(const base::Error& error) {
  constexpr int kLasting[] = {EPERM, EACCES, EBUSY, EROFS, EIO};
  return error.kind == ErrorKind::kConflict ||
         std::ranges::find(kLasting, error.code) != std::end(kLasting);
}

// Nothing of that is a reason to stop, and to stop again at each start: what cannot be deleted is
// left where no volume is looked for.
Status remove_or_leave(const std::string& path, const std::stop_token& stop) {
  auto removed = base::remove_tree(path, stop);
  if (stop.stop_requested()) return fail("stopped before it was done");
  if (removed || !cannot_be_deleted(removed.error())) return removed;
  const std::string aside = concat(path, ".destroyed-", base::make_uuid());
  const bool moved = rename(path.c_str(), aside.c_str()) == 0;
  LOG(ERROR) << "A part of a destroyed volume could not be deleted and is left in '"
             << (moved ? aside : path) << "': " << removed.error().message;
  return {};
}

Status remove_volume(const std::string& path, const Resource& volume, const std::stop_token& stop) {
  if (volume.disk().source().type() != Source::MOUNT) return remove_or_leave(path, stop);
  auto names = base::list_directory(path);
  if (!names) {
    return names.error().kind == ErrorKind::kNotFound ? Status() : fail(names.error());
  }
  for (const std::string& name : *names) TRY_VOID(remove_or_leave(join_path(path, name), stop));
  return {};
}

}  // namespace

Result<std::string> volume_path(const std::string& work_dir, const Resource& volume) {
  if (!volume.disk().has_persistence()) {
    return fail(ErrorKind::kInvalid, "not a persistent volume");
  }
  const Source& source = volume.disk().source();
  if (volume.has_provider_id() || source.has_id()) {
    return fail(ErrorKind::kUnsupported, "volumes of resource providers are not here");
  }
  if (!volume.disk().has_source()) return path_below(work_dir, volume);
  switch (source.type()) {
    case Source::PATH: {
      const std::string& root = source.path().root();
      TRY_VOID(check_root(root));
      return path_below(absolute_root(work_dir, root), volume);
    }
    case Source::MOUNT: {
      const std::string& root = source.mount().root();
      TRY_VOID(check_root(root));
      return absolute_root(work_dir, root);
    }
    default:
      return fail(ErrorKind::kUnsupported, "there are no volumes on BLOCK and RAW disks");
  }
}

Status prepare_disks(const std::string& work_dir, const std::vector<Resource>& resources) {
  for (const Resource& resource : resources) {
    const Source& source = resource.disk().source();
    if (source.has_path() && source.path().has_root()) {
      TRY_VOID(check_root(source.path().root()));
      TRY_VOID(base::make_directories(absolute_root(work_dir, source.path().root())));
    }
    if (source.has_mount() && source.mount().has_root()) {
      TRY_VOID(check_root(source.mount().root()));
      TRY_VOID(check_mounted(absolute_root(work_dir, source.mount().root())));
    }
  }
  return {};
}

Status check_volumes(const std::string& work_dir, const ResourceSet& resources) {
  TRY_VOID(volumes_in(work_dir, resources));
  return {};
}

bool deletes_volumes(const std::string& work_dir, const ResourceSet& before,
                     const ResourceSet& target) {
  const auto old_volumes = volumes_in(work_dir, before);
  const auto new_volumes = volumes_in(work_dir, target);
  if (!old_volumes || !new_volumes) return false;  // nor can they be deleted
  return std::ranges::any_of(*old_volumes, [&new_volumes](const auto& volume) {
    return !new_volumes->contains(volume.first);
  });
}

Status sync_volumes(const std::string& work_dir, const ResourceSet& before,
                    const ResourceSet& target, const std::stop_token& stop) {
  TRY(const auto old_volumes, volumes_in(work_dir, before));
  TRY(const auto new_volumes, volumes_in(work_dir, target));
  for (const auto& [path, volume] : new_volumes) {
    if (!old_volumes.contains(path)) TRY_VOID(base::make_directories(path));
  }
  for (const auto& [path, volume] : old_volumes) {
    if (!new_volumes.contains(path)) TRY_VOID(remove_volume(path, *volume, stop));
  }
  return {};
}

}  // namespace agent
