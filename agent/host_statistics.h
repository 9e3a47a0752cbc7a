// How the host does.
#pragma once

#include <cstdint>
#include <optional>

namespace agent {

// What could not be read is not there.
struct HostStatistics {
  std::optional<double> load_1min, load_5min, load_15min;
  std::optional<uint64_t> cpus;  // online
  std::optional<uint64_t> memory_bytes, free_memory_bytes;
};

HostStatistics read_host_statistics();

}  // namespace agent
