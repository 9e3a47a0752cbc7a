// The measurements, each of which adds its rows to the table. They run in the order below, one
// after the other; what a measurement compares is interleaved, so that whatever else the machine
// does meanwhile hits all sides alike.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "bench/agent_process.h"
#include "bench/clone_floor.h"
#include "bench/oci_runtime.h"
#include "bench/operator_calls.h"
#include "bench/samples.h"
#include "bench/table.h"

namespace bench {

// On how many connections at once rates are taken.
inline constexpr int kLanes[] = {1, 8, 64};

struct Settings {
  std::string self;          // this program's path
  std::string programs;      // the directory of mesos-agent and its helpers
  std::string directory;     // for everything that the run writes
  std::string cgroups_root;  // for everything that it makes in cgroup hierarchies
  std::string crun;          // paths; empty: not there
  std::string runc;
  std::string conmon;
  bool quick = false;
  bool large = false;  // 1,000 containers
  bool huge = false;   // 5,000

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

  // Launches per second then, by the number of connections.
  std::map<int, double> alone_rates;

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
base::Status measure_beside_conmon(Bench& bench);
base::Status measure_many_containers(Bench& bench);
base::Status measure_tasks(Bench& bench);

// One launch and wait of /bin/true in kParent, then removed untimed: milliseconds.
base::Result<double> launch_and_wait(Client& client, const std::string& name, Groups groups);

// Launches and waits of /bin/true per second on `connections` connections at once, in a root
// container of their own.
base::Result<double> launch_rate(const Bench& bench, int connections, Groups groups,
                                 std::chrono::milliseconds duration);

// A session of kParent's that writes `bytes` bytes: bytes of payload per second, from the call to
// the end of the response.
base::Result<double> stream_session(const Bench& bench, const std::string& name, Encoding encoding,
                                    uint64_t bytes);

}  // namespace bench
