// What a container tells of itself.

#include <chrono>
#include <utility>

#include "containerizer/container.h"

namespace containerizer {

mesos::v1::ContainerStatus Container::status() const {
  mesos::v1::ContainerStatus status;
  *status.mutable_container_id() = id_.to_message();
  for (const auto& isolator : services_.isolators) {
    if (applies(*isolator)) isolator->status(id_, &status);
  }
  if (process_.pid > 0) status.set_executor_pid(static_cast<uint32_t>(process_.pid));
  return status;
}

StatisticsReader Container::usage_reader() const {
  std::vector<isolators::UsageReader> readers;
  for (const auto& isolator : services_.isolators) {
    if (!applies(*isolator)) continue;
    if (auto reader = isolator->usage_reader(id_)) readers.push_back(std::move(reader));
  }
  mesos::v1::ResourceStatistics requested;
  add_requested(config_, services_.options.cpu_limits_enforced, &requested);
  return [readers = std::move(readers), requested = std::move(requested)] {
    mesos::v1::ResourceStatistics statistics = requested;
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    statistics.set_timestamp(std::chrono::duration<double>(now).count());
    for (const auto& reader : readers) reader(&statistics);
    return statistics;
  };
}

}  // namespace containerizer
