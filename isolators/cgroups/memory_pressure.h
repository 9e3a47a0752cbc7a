// How often the kernel has had to look for memory in a group, by how hard that was.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "base/cgroup.h"
#include "base/fd.h"
#include "proto/mesos/v1/statistics.pb.h"

namespace isolators {

// Three eventfds that the kernel counts up (memory.pressure_level). They are only read when
// somebody asks, so a container's pressure wakes nobody.
class PressureCounters {
 public:
  // Starts counting in `group`. Levels that the kernel does not report are left out.
  PressureCounters(const base::CgroupHierarchy& memory, const std::string& group);

  // Adds the counts since the start. On any thread.
  void read(mesos::v1::ResourceStatistics* statistics);

 private:
  struct Level {
    base::Fd events;
    std::atomic<uint64_t> count = 0;
  };

  std::array<Level, 3> levels_;  // low, medium, critical
};

}  // namespace isolators
