#include "containerizer/statistics.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/combine.h"
#include "base/worker.h"
#include "isolators/resources.h"

namespace containerizer {

using base::Task;
using mesos::v1::ResourceStatistics;

namespace {

// So few do not keep anybody waiting, and need no thread to be woken.
constexpr size_t kFew = 8;

// The readers that one worker takes at a time.
constexpr size_t kSlice = 32;

std::vector<ResourceStatistics> call_all(const std::vector<StatisticsReader>& readers) {
  std::vector<ResourceStatistics> statistics;
  statistics.reserve(readers.size());
  for (const auto& reader : readers) statistics.push_back(reader());
  return statistics;
}

Task<void> measure_slice(std::vector<StatisticsReader> readers, ResourceStatistics* results) {
  auto measured =
      co_await base::run_on_worker([readers = std::move(readers)] { return call_all(readers); });
  std::move(measured.begin(), measured.end(), results);
}

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

Task<std::vector<ResourceStatistics>> measure(std::vector<StatisticsReader> readers) {
  if (readers.size() <= kFew) co_return call_all(readers);
  std::vector<ResourceStatistics> results(readers.size());
  std::vector<Task<void>> slices;
  for (size_t at = 0; at < readers.size(); at += kSlice) {
    const auto begin = readers.begin() + static_cast<ptrdiff_t>(at);
    const auto end = begin + static_cast<ptrdiff_t>(std::min(kSlice, readers.size() - at));
    slices.push_back(
        measure_slice({std::move_iterator(begin), std::move_iterator(end)}, results.data() + at));
  }
  co_await base::all_of(std::move(slices));
  co_return results;
}

}  // namespace containerizer
