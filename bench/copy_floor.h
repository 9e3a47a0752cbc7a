// The least that streaming output can cost: writer → pipe → copy loop → TCP → reader.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace bench {

// The program whose output is streamed, here and in the agent's sessions: writes `bytes` zero bytes
// to stdout. `self` is the path of this program.
std::vector<std::string> writer_command(const std::string& self, uint64_t bytes);
int run_writer(uint64_t bytes);

// The copy loop: copies stdin to the first connection on the inherited socket kFloorListenFd.
std::vector<std::string> copier_command(const std::string& self);
int run_copier();

// Streams `bytes` through the copy loop; gives bytes per second.
base::Result<double> measure_copy(const std::string& self, uint64_t bytes);

inline constexpr int kFloorListenFd = 3;

}  // namespace bench
