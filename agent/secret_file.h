// The files that secrets are read from.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace agent {

// What is in the file of this flag. Warns if everybody on the host can read it. The errors name
// flag and path.
base::Result<std::string> read_secret_file(std::string_view flag, const std::string& path);

}  // namespace agent
