// Many containers: what they cost while they run, and what they change for everything else.

#include <chrono>
#include <thread>

#include "base/strings.h"
#include "bench/operator_calls.h"
#include "bench/process_figures.h"
#include "bench/rows.h"
#include "proto/json_read.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;

namespace {

constexpr double kMesosGetContainersMs = 89;

const std::vector<std::string> kSleep = {"/bin/sleep", "100000"};
constexpr int kAttachable = 100;
constexpr double kTreeMegabytes = 4096;

// The first are roots, each with groups of its own; the others are nested in them, without.
constexpr int kRoots = 1000;

ContainerID many_id(int i) {
  if (i < kRoots) return root_id(concat("many-", i));
  return child_id(root_id(concat("many-", i % kRoots)), concat(i));
}

// Starts the containers from number `first` on.
Status launch_many(Bench& bench, int first, int end) {
  TRY(Client client, Client::connect(bench.agent.port()));
  for (int i = first; i < end; ++i) {
    const ContainerID id = many_id(i);
    TRY_VOID(perform(client, id.has_parent() ? launch_child(id, kSleep, Groups::kShared)
                                             : launch_root(id, kSleep, i < kAttachable)));
  }
  return {};
}

Status measure_memory_of_100(Bench& bench) {
  TRY(const Samples switchboards, pss_of("mesos-io-switchboard", kAttachable));
  bench.table.state(
      Figure::of(concat("PSS of a switchboard, ", switchboards.count(), " of them"), switchboards),
      "KiB", at_most(512));
  TRY(const Samples helpers, pss_of("mesos-containerizer", kAttachable));
  bench.table.state(
      Figure::of(concat("PSS of a launch helper, ", helpers.count(), " of them"), helpers), "KiB",
      at_most(128));
  TRY(const double agent, pss_kib(bench.agent.pid()));
  bench.table.state({concat("PSS of the agent, ", kAttachable, " containers"), agent, std::nullopt},
                    "KiB");
  return {};
}

Status measure_idleness(Bench& bench, int count) {
  constexpr std::chrono::seconds kTime{5};
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // what the launches have left to do
  TRY(const auto switchboards, find_processes("mesos-io-switchboard"));
  const auto switchboards_used = [&]() -> Result<double> {
    double sum = 0;
    for (const pid_t pid : switchboards) {
      TRY(const double ms, cpu_milliseconds(pid));
      sum += ms;
    }
    return sum;
  };
  TRY(const double agent_before, cpu_milliseconds(bench.agent.pid()));
  TRY(const double switchboards_before, switchboards_used());
  std::this_thread::sleep_for(kTime);
  TRY(const double agent_after, cpu_milliseconds(bench.agent.pid()));
  TRY(const double switchboards_after, switchboards_used());
  const double percent = 100 / std::chrono::duration<double, std::milli>(kTime).count();
  bench.table.state({concat("idle CPU of the agent, ", count, " containers"),
                     (agent_after - agent_before) * percent, std::nullopt},
                    "%", at_most(0.2));
  bench.table.state({concat("idle CPU of ", switchboards.size(), " switchboards, all together"),
                     (switchboards_after - switchboards_before) * percent, std::nullopt},
                    "%");
  return {};
}

Result<Samples> time_call(Bench& bench, const Call& call) {
  TRY(Client client, Client::connect(bench.agent.port()));
  const std::string bytes = request(call);
  Samples samples;
  for (int i = 0; i < bench.settings.rounds(80); ++i) {
    const auto start = Clock::now();
    TRY_VOID(perform(client, bytes));
    samples.add(milliseconds_since(start));
  }
  return samples;
}

Status measure_reads(Bench& bench, int count) {
  TRY(const Samples containers, time_call(bench, get_containers()));
  bench.table.compare(Figure::of(concat("GET_CONTAINERS, ", count, " containers"), containers),
                      bench.mesos(kMesosGetContainersMs * count / 300), "ms", at_most(0.1));
  TRY(const Samples state, time_call(bench, get_state()));
  bench.table.state(Figure::of(concat("GET_STATE, ", count, " containers"), state), "ms");
  return {};
}

Status measure_launches_among(Bench& bench, int count) {
  TRY(Client client, Client::connect(bench.agent.port()));
  Samples ours, floors;
  for (int i = 0; i < bench.settings.rounds(200); ++i) {
    TRY(double ms, launch_and_wait(client, concat("among-", i), Groups::kOwn));
    ours.add(ms);
    TRY(ms, bench.floor.run(Groups::kOwn, false));
    floors.add(ms);
  }
  if (!bench.alone_ms) return base::fail("Nothing was measured with no container running");
  bench.table.compare(Figure::of(concat("launch + wait of true, ", count, " running"), ours),
                      {"the same with none", *bench.alone_ms, std::nullopt}, "ms", at_most(1.25));
  bench.table.compare(
      {concat("the same, over the clone floor of then"), ours.p50() / floors.p50(), std::nullopt},
      {"with none, over the clone floor of then", *bench.alone_ms / *bench.alone_floor_ms,
       std::nullopt},
      "times");
  return {};
}

Status measure_rates_among(Bench& bench, int count) {
  const std::chrono::milliseconds duration(bench.settings.quick ? 500 : 3000);
  for (const int connections : kLanes) {
    TRY(const double rate, launch_rate(bench, connections, Groups::kShared, duration));
    const Figure figure{concat("launches, ", connections, " in parallel, ", count, " running"),
                        rate, std::nullopt};
    const auto alone = bench.alone_rates.find(connections);
    if (alone == bench.alone_rates.end()) {
      bench.table.state(figure, "/s");
    } else {
      bench.table.compare(figure, {"the same with none", alone->second, std::nullopt}, "/s");
    }
  }
  return {};
}

// The kill of a root container with so many nested in it, until it has ended and all are reaped:
// milliseconds for each of them.
Result<Samples> time_tree_kills(Bench& bench, int size) {
  TRY(Client client, Client::connect(bench.agent.port()));
  Samples samples;
  for (int round = 0; round < bench.settings.rounds(8); ++round) {
    const ContainerID root = root_id(concat("tree-", size, "-", round));
    TRY_VOID(perform(client, launch_root(root, kSleep, false, kTreeMegabytes)));
    for (int i = 0; i < size; ++i) {
      TRY_VOID(perform(client, launch_child(child_id(root, concat(i)), kSleep, Groups::kShared)));
    }
    const auto start = Clock::now();
    TRY_VOID(perform(client, kill(root)));
    TRY_VOID(perform(client, wait_for(root)));
    samples.add(milliseconds_since(start) / size);
    TRY_VOID(perform(client, remove(root)));
  }
  return samples;
}

Status measure_tree_kills(Bench& bench) {
  const int large = bench.settings.large ? 1000 : 300;
  TRY(const Samples few, time_tree_kills(bench, 10));
  TRY(const Samples many, time_tree_kills(bench, large));
  bench.table.compare(Figure::of(concat("kill of a tree of ", large, " + wait, each"), many),
                      Figure::of("the same of a tree of 10", few), "ms");
  return {};
}

Result<int> count_containers(Bench& bench) {
  TRY(Client client, Client::connect(bench.agent.port()));
  TRY(const std::string body, perform(client, request(get_containers())));
  mesos::v1::agent::Response response;
  if (auto parsed = proto::parse_json(body, &response); !parsed) {
    return base::fail(parsed.error().message);
  }
  return response.get_containers().containers_size();
}

Status measure_restart(Bench& bench, int count) {
  TRY(const int before, count_containers(bench));
  Samples samples;
  for (int i = 0; i < bench.settings.rounds(8); ++i) {
    TRY(const double ms, bench.agent.restart());
    samples.add(ms);
    TRY(const int after, count_containers(bench));
    if (after != before) {
      return base::fail(concat("Of ", before, " containers ", after, " are left after a restart"));
    }
  }
  bench.table.state(
      Figure::of(concat("restart to the first answer, ", count, " containers"), samples), "ms",
      count <= 1000 ? at_most(500) : Budget{});
  return {};
}

Status measure_with(Bench& bench, int running, int count) {
  TRY_VOID(launch_many(bench, running, count));
  TRY(const double agent, pss_kib(bench.agent.pid()));
  bench.table.state({concat("PSS of the agent, ", count, " containers"), agent, std::nullopt},
                    "KiB", count <= 1000 ? at_most(32 * 1024) : Budget{});
  TRY(const double descriptors, descriptor_count(bench.agent.pid()));
  bench.table.state(
      {concat("descriptors of the agent, ", count, " containers"), descriptors, std::nullopt}, "");
  TRY_VOID(measure_idleness(bench, count));
  TRY_VOID(measure_reads(bench, count));
  TRY_VOID(measure_launches_among(bench, count));
  TRY_VOID(measure_rates_among(bench, count));
  return measure_restart(bench, count);
}

}  // namespace

Status measure_many_containers(Bench& bench) {
  TRY_VOID(launch_many(bench, 0, kAttachable));
  TRY_VOID(measure_memory_of_100(bench));
  TRY_VOID(measure_tree_kills(bench));
  TRY_VOID(measure_with(bench, kAttachable, 300));
  if (!bench.settings.large) return {};
  TRY_VOID(measure_with(bench, 300, 1000));
  if (!bench.settings.huge) return {};
  return measure_with(bench, 1000, 5000);
}

}  // namespace bench
