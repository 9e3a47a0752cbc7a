// What tasks and their schedulers look like in messages and on disk, where several need it.
#pragma once

#include <algorithm>
#include <chrono>
#include <string>
#include <string_view>

#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

// What stands for the process id of a scheduler that is reached through the master.
inline constexpr std::string_view kNoSchedulerPid = "@0.0.0.0:0";

// A scheduler's process id as messages and checkpoints have it; empty for one that has none.
inline std::string scheduler_pid(const std::string& written) {
  return written == kNoSchedulerPid ? std::string() : written;
}

// Adds a status to its task, which takes its state. One of the same state as the last takes that
// one's place.
inline void add_status(const mesos::v1::TaskStatus& status, mesos::v1::Task& task) {
  const int count = task.statuses_size();
  if (count > 0 && task.statuses(count - 1).state() == status.state()) {
    *task.mutable_statuses(count - 1) = status;
  } else {
    *task.add_statuses() = status;
  }
  task.set_state(status.state());
}

inline double seconds_since_epoch() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

inline bool is_partition_aware(const mesos::v1::FrameworkInfo& framework) {
  using Capability = mesos::v1::FrameworkInfo::Capability;
  return std::ranges::any_of(framework.capabilities(), [](const auto& capability) {
    return capability.type() == Capability::PARTITION_AWARE;
  });
}

// The state of a task that was never launched, and of one that is gone without a word, as its
// scheduler can understand it.
inline mesos::v1::TaskState dropped_state(const mesos::v1::FrameworkInfo& framework) {
  return is_partition_aware(framework) ? mesos::v1::TASK_DROPPED : mesos::v1::TASK_LOST;
}
inline mesos::v1::TaskState gone_state(const mesos::v1::FrameworkInfo& framework) {
  return is_partition_aware(framework) ? mesos::v1::TASK_GONE : mesos::v1::TASK_LOST;
}

}  // namespace agent
