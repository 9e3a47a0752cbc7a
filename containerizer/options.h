// What the containerizer is configured with.
#pragma once

#include <chrono>
#include <string>

#include "base/bytes.h"
#include "fetcher/fetcher.h"

namespace containerizer {

struct Options {
  std::string work_dir;
  std::string runtime_dir;
  std::string launcher_dir;  // where the helper programs are

  // Whether containers run as the user that the command names.
  bool switch_user = true;

  // For how long it is tried to free what an ended container has left (--cgroups_destroy_timeout).
  std::chrono::nanoseconds destroy_timeout = std::chrono::minutes(1);

  // Whether a container's cpus are a hard limit (--cgroups_enable_cfs).
  bool cpu_limits_enforced = false;

  // Switchboards: see --io_switchboard_*.
  std::chrono::nanoseconds heartbeat_interval = std::chrono::seconds(30);
  base::Bytes replay_size{0};
  bool all_attachable = false;

  fetcher::Options fetcher;

  // How long, and for how many, the end of a standalone container is remembered.
  std::chrono::nanoseconds termination_retention = std::chrono::hours(1);
  size_t termination_retention_count = 1000;
};

}  // namespace containerizer
