// What tasks and their schedulers look like in messages and on disk, where several need it.
#pragma once

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

}  // namespace agent
