// Fetching over the net, by libcurl.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/result.h"

namespace fetcher {

// Once, before any other thread is started.
base::Status prepare_downloads();

// Writes what the URI (http, https, ftp or ftps, also after redirects) names to the descriptor.
// Fails unless all of it has come, with the final status 200 (226 of ftp), and when less than a
// byte a second has come for `stall_timeout` (0: never). Certificates are checked, against those of
// the host or those that CURL_CA_BUNDLE, SSL_CERT_FILE or SSL_CERT_DIR name.
base::Status download(const std::string& uri, int fd, std::chrono::nanoseconds stall_timeout);

// How large it says it is; nothing if it does not tell.
base::Result<std::optional<uint64_t>> remote_size(const std::string& uri,
                                                  std::chrono::nanoseconds stall_timeout);

}  // namespace fetcher
