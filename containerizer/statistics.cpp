#include "containerizer/statistics.h"

#include <unistd.h>

#include <cmath>

#include "isolators/resources.h"

namespace containerizer {

namespace {

double host_cpus() { return static_cast<double>(sysconf(_SC_NPROCESSORS_ONLN)); }

uint64_t host_memory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGE_SIZE));
}

}  // namespace

void add_requested(const isolators::ContainerConfig& config, bool cpu_limits_enforced,
                   mesos::v1::ResourceStatistics* statistics) {
  if (const auto cpus = isolators::requested(config, "cpus")) {
    statistics->set_cpus_soft_limit(*cpus);
    if (cpu_limits_enforced) statistics->set_cpus_limit(*cpus);
  }
  if (const auto limit = isolators::limited(config, "cpus")) {
    statistics->set_cpus_limit(std::isinf(*limit) ? host_cpus() : *limit);
  }
  if (const auto mem = isolators::requested(config, "mem")) {
    statistics->set_mem_soft_limit_bytes(isolators::bytes_of_megabytes(*mem));
    statistics->set_mem_limit_bytes(isolators::bytes_of_megabytes(*mem));
  }
  if (const auto limit = isolators::limited(config, "mem")) {
    statistics->set_mem_limit_bytes(std::isinf(*limit) ? host_memory()
                                                       : isolators::bytes_of_megabytes(*limit));
  }
}

}  // namespace containerizer
