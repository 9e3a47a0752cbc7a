// The user that a task runs as.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace executors {

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // all, `gid` first
};

// Looks the name up in the contents of /etc/passwd and /etc/group. Nothing if it is not there.
// (A static program cannot ask other name services: their libraries are loaded at run time.)
std::optional<User> find_user(std::string_view name, std::string_view passwd,
                              std::string_view group);

// The user to become for --user=<name>: nobody if we are that user already. kNotFound if there is
// no such user here, kForbidden if we are not root.
base::Result<std::optional<User>> resolve_user(const std::string& name);

}  // namespace executors
