// What a role may be called.
#pragma once

#include <string_view>

#include "base/result.h"

namespace agent {

// Succeeds if Apache Mesos accepts the name: "*", or components separated by single slashes, each
// of which could be a directory's name: not empty, not ".", ".." or "*", not beginning with "-",
// without blanks and control characters. Otherwise kInvalid, with the reason.
base::Status check_role(std::string_view role);

}  // namespace agent
