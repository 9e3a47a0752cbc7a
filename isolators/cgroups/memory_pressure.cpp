#include "isolators/cgroups/memory_pressure.h"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/strings.h"

namespace isolators {

using mesos::v1::ResourceStatistics;

namespace {

struct LevelName {
  const char* name;
  void (ResourceStatistics::*set)(uint64_t);
};

constexpr LevelName kLevels[] = {
    {"low", &ResourceStatistics::set_mem_low_pressure_counter},
    {"medium", &ResourceStatistics::set_mem_medium_pressure_counter},
    {"critical", &ResourceStatistics::set_mem_critical_pressure_counter},
};

}  // namespace

PressureCounters::PressureCounters(const base::CgroupHierarchy& memory, const std::string& group) {
  auto source = memory.open_file(group, "memory.pressure_level", O_RDONLY);
  if (!source) return;
  for (size_t i = 0; i < levels_.size(); ++i) {
    base::Fd events(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!events) continue;
    auto armed = memory.write(group, "cgroup.event_control",
                              base::concat(events.get(), " ", source->get(), " ", kLevels[i].name));
    if (armed) levels_[i].events = std::move(events);
  }
}

void PressureCounters::read(ResourceStatistics* statistics) {
  for (size_t i = 0; i < levels_.size(); ++i) {
    Level& level = levels_[i];
    if (!level.events) continue;
    uint64_t more = 0;
    if (::read(level.events.get(), &more, sizeof(more)) != sizeof(more)) more = 0;
    (statistics->*kLevels[i].set)(level.count.fetch_add(more) + more);
  }
}

}  // namespace isolators
