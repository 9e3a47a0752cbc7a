#include "executors/user.h"

#include <unistd.h>

#include <algorithm>

#include "base/files.h"
#include "base/strings.h"

namespace executors {

using base::concat;
using base::ErrorKind;

namespace {

// Fields of a line of /etc/passwd, and of /etc/group.
enum PasswdField : uint8_t { kUserName = 0, kUid = 2, kGid = 3, kPasswdFields = 7 };
enum GroupField : uint8_t { kGroupGid = 2, kMembers = 3, kGroupFields = 4 };

}  // namespace

std::optional<User> find_user(std::string_view name, std::string_view passwd,
                              std::string_view group) {
  std::optional<User> user;
  for (const std::string_view line : base::split(passwd, '\n')) {
    const auto fields = base::split(line, ':');
    if (fields.size() < kPasswdFields || fields[kUserName] != name) continue;
    const auto uid = base::parse_number<uid_t>(fields[kUid]);
    const auto gid = base::parse_number<gid_t>(fields[kGid]);
    if (!uid || !gid) continue;
    user = User{.uid = *uid, .gid = *gid, .groups = {*gid}};
    break;
  }
  if (!user) return user;
  for (const std::string_view line : base::split(group, '\n')) {
    const auto fields = base::split(line, ':');
    if (fields.size() < kGroupFields) continue;
    const auto gid = base::parse_number<gid_t>(fields[kGroupGid]);
    if (!gid || std::ranges::find(user->groups, *gid) != user->groups.end()) continue;
    const auto members = base::split(fields[kMembers], ',');
    if (std::ranges::find(members, name) != members.end()) user->groups.push_back(*gid);
  }
  return user;
}

base::Result<std::optional<User>> resolve_user(const std::string& name) {
  TRY(const std::string passwd, base::read_file("/etc/passwd"));
  const auto group = base::read_file("/etc/group");
  auto user = find_user(name, passwd, group ? *group : std::string());
  if (!user) {
    return base::fail(ErrorKind::kNotFound,
                      concat("--user: there is no user '", name, "' in /etc/passwd"));
  }
  if (user->uid == geteuid()) return std::nullopt;
  if (geteuid() != 0) {
    return base::fail(ErrorKind::kForbidden,
                      concat("--user: only root can run a task as '", name, "'"));
  }
  return user;
}

}  // namespace executors
