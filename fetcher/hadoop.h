// Fetching by the command `hadoop`, for what only its client understands.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace fetcher {

// Has it copy what the URI names to a path that does not exist yet. The command is that in
// $HADOOP_HOME/bin, otherwise the one in $PATH; kNotFound if there is none. What it prints goes to
// our stdout and stderr.
base::Status hadoop_copy(const std::string& uri, const std::string& path);

// How large it says it is; nothing if it does not tell.
base::Result<std::optional<uint64_t>> hadoop_size(const std::string& uri);

}  // namespace fetcher
