// What mesos-fetcher does: fetches one URI after the other into a sandbox.
#pragma once

#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "proto/internal/fetcher.pb.h"

namespace fetcher {

using mesosagent::internal::FetcherInfo;

// The message that MESOS_FETCHER_INFO holds.
base::Result<FetcherInfo> read_fetcher_info(const char* json);

// Fetches all items into the sandbox, in their order, and says on stderr what it does; ends with
// the first that fails. `sandbox` must also be the working directory.
base::Status fetch_all(const FetcherInfo& info, const base::Fd& sandbox);

// For each item a line with its size, or an empty one if that cannot be told.
std::string probe_all(const FetcherInfo& info);

}  // namespace fetcher
