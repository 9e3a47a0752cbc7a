#include "agent/host_statistics.h"

#include <stdlib.h>
#include <sys/sysinfo.h>
#include <unistd.h>

namespace agent {

HostStatistics read_host_statistics() {
  HostStatistics host;
  double loads[3];
  if (getloadavg(loads, 3) == 3) {
    host.load_1min = loads[0];
    host.load_5min = loads[1];
    host.load_15min = loads[2];
  }
  if (const long cpus = sysconf(_SC_NPROCESSORS_ONLN); cpus > 0) {
    host.cpus = static_cast<uint64_t>(cpus);
  }
  struct sysinfo info{};
  if (sysinfo(&info) == 0) {
    host.memory_bytes = uint64_t{info.totalram} * info.mem_unit;
    host.free_memory_bytes = uint64_t{info.freeram} * info.mem_unit;
  }
  return host;
}

}  // namespace agent
