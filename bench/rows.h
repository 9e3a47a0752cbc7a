// The measurements, each of which adds its rows to the table. They run in the order below, one
// after the other; what a measurement compares is interleaved, so that whatever else the machine
// does meanwhile hits all sides alike.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/agent_process.h"
#include "bench/clone_floor.h"
#include "bench/oci_runtime.h"
#include "bench/samples.h"
#include "bench/table.h"

namespace bench {

struct Settings {
  std::string self;          // this program's path
  std::string programs;      // the directory of mesos-agent and its helpers
  std::string directory;     // for everything that the run writes
  std::string cgroups_root;  // for everything that it makes in cgroup hierarchies
  std::string crun;          // paths; empty: not there
  std::string runc;
  bool quick = false;
  bool large = false;

  // How often to do something that a full run does `full` times.
  int rounds(int full) const { return quick ? std::max(full / 8, 2) : full; }
};

struct Bench {
  const Settings& settings;
  Table& table;
  AgentProcess& agent;
  const CloneFloor& floor;
  std::vector<OciRuntime> runtimes;  // crun first

  bool has_crun() const { return !runtimes.empty() && runtimes.front().name() == "crun"; }

  // How much slower this machine is now than the one on which Apache Mesos was measured, by crun's
  // measure; 1 without crun.
  double mesos_scale = 1;

  // Launch and wait with no other container running, and the clone floor then.
  std::optional<double> alone_ms;
  std::optional<double> alone_floor_ms;

  // A figure of Apache Mesos's agent on the design's machine, scaled to this one.
  Figure mesos(double milliseconds) const {
    return {"Apache Mesos (recorded, scaled by crun)", milliseconds * mesos_scale, std::nullopt};
  }
};

// The root container in which all nested containers and sessions are launched.
inline constexpr char kParent[] = "bench-parent";

base::Status measure_launches(Bench& bench);
base::Status measure_launch_rates(Bench& bench);
base::Status measure_sessions(Bench& bench);
base::Status measure_keys(Bench& bench);
base::Status measure_streams(Bench& bench);
base::Status measure_many_containers(Bench& bench);

// One launch and wait of /bin/true in kParent, then removed untimed: milliseconds.
base::Result<double> launch_and_wait(Client& client, const std::string& name, Groups groups);

}  // namespace bench
