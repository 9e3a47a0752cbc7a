// Launches: one after the other beside what they are compared with, and many at once.

#include <algorithm>
#include <functional>
#include <mutex>
#include <thread>

#include "base/strings.h"
#include "bench/operator_calls.h"
#include "bench/rows.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;

namespace {

// Apache Mesos's agent and crun on the machine of the design's budgets.
constexpr double kMesosLaunchMs = 99;
constexpr double kMesosLaunchesPerSecond = 30;
constexpr double kCrunThenMs = 8.8;

const std::vector<std::string> kTrue = {"/bin/true"};

struct LaunchSamples {
  Samples ours_own, ours_shared;
  Samples floor_own, floor_shared, floor_own_with_proc;
  std::vector<Samples> runtimes;
};

Status measure_round(Bench& bench, Client& client, int round, LaunchSamples* samples) {
  TRY(double ms, launch_and_wait(client, concat("own-", round), Groups::kOwn));
  samples->ours_own.add(ms);
  TRY(ms, bench.floor.run(Groups::kOwn, false));
  samples->floor_own.add(ms);
  TRY(ms, launch_and_wait(client, concat("shared-", round), Groups::kShared));
  samples->ours_shared.add(ms);
  TRY(ms, bench.floor.run(Groups::kShared, false));
  samples->floor_shared.add(ms);
  TRY(ms, bench.floor.run(Groups::kOwn, true));
  samples->floor_own_with_proc.add(ms);
  for (size_t i = 0; i < bench.runtimes.size(); ++i) {
    TRY(ms, bench.runtimes[i].run_true());
    samples->runtimes[i].add(ms);
  }
  return {};
}

// The same when nothing has happened for a while: the kernel has then to wait for a grace period of
// RCU before it moves a process into another cgroup by cgroup.procs.
Status measure_after_quiet(Bench& bench, Client& client) {
  constexpr std::chrono::milliseconds kQuiet{150};
  const auto after_quiet = [&](Samples* samples, const auto& run) -> Status {
    std::this_thread::sleep_for(kQuiet);
    TRY(const double ms, run());
    samples->add(ms);
    return {};
  };
  Samples ours, floors, crun;
  for (int i = 0; i < bench.settings.rounds(40); ++i) {
    TRY_VOID(after_quiet(
        &ours, [&] { return launch_and_wait(client, concat("quiet-", i), Groups::kOwn); }));
    TRY_VOID(after_quiet(&floors, [&] { return bench.floor.run(Groups::kOwn, false); }));
    if (bench.has_crun()) {
      TRY_VOID(after_quiet(&crun, [&] { return bench.runtimes.front().run_true(); }));
    }
  }
  const Figure figure = Figure::of("launch + wait of true, after 150 ms of quiet", ours);
  if (bench.has_crun()) {
    bench.table.compare(figure, Figure::of("crun run of true, likewise", crun), "ms", at_most(0.5));
  }
  bench.table.compare(figure, Figure::of("bare clone3 + exec, likewise", floors), "ms",
                      at_most(2.5));
  return {};
}

// Does `work` again and again in `lanes` threads at once, each with its number, for a while. Gives
// how often a second it was done.
Result<double> rate(int lanes, std::chrono::milliseconds duration,
                    const std::function<Result<int>(int lane, Clock::time_point deadline)>& work) {
  std::mutex mutex;
  int done = 0;
  Status failed;
  const auto start = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (int lane = 0; lane < lanes; ++lane) {
      threads.emplace_back([&, lane] {
        auto count = work(lane, start + duration);
        const std::lock_guard lock(mutex);
        if (count) {
          done += *count;
        } else {
          failed = base::fail(std::move(count).error());
        }
      });
    }
  }
  if (!failed) return base::fail(std::move(failed).error());
  return done / milliseconds_since(start) * 1e3;
}

}  // namespace

Result<double> launch_and_wait(Client& client, const std::string& name, Groups groups) {
  const ContainerID id = child_id(root_id(kParent), name);
  const std::string launch = request(launch_child(id, kTrue, groups));
  const std::string wait = request(wait_for(id));
  const auto start = Clock::now();
  TRY_VOID(perform(client, launch));
  TRY(const std::string end, perform(client, wait));
  const double ms = milliseconds_since(start);
  TRY_VOID(expect_success(end));
  TRY_VOID(perform(client, remove(id)));
  return ms;
}

Result<double> launch_rate(const Bench& bench, int connections, Groups groups,
                           std::chrono::milliseconds duration) {
  TRY(Client keeper, Client::connect(bench.agent.port()));
  const ContainerID parent = root_id(concat("rate-", connections, "-", static_cast<int>(groups)));
  TRY_VOID(perform(keeper, launch_root(parent, {"/bin/sleep", "100000"})));
  auto launched =
      rate(connections, duration, [&](int lane, Clock::time_point deadline) -> Result<int> {
        TRY(Client client, Client::connect(bench.agent.port()));
        int count = 0;
        for (; Clock::now() < deadline; ++count) {
          const ContainerID id = child_id(parent, concat(lane, "-", count));
          TRY_VOID(perform(client, launch_child(id, kTrue, groups)));
          TRY(const std::string end, perform(client, request(wait_for(id))));
          TRY_VOID(expect_success(end));
        }
        return count;
      });
  TRY_VOID(discard(keeper, parent));
  return launched;
}

Status measure_launches(Bench& bench) {
  TRY(Client client, Client::connect(bench.agent.port()));
  LaunchSamples samples;
  samples.runtimes.resize(bench.runtimes.size());
  const int warm_up = 3;
  LaunchSamples dropped = samples;
  for (int i = 0; i < warm_up; ++i) TRY_VOID(measure_round(bench, client, -i - 1, &dropped));
  for (int i = 0; i < bench.settings.rounds(200); ++i) {
    TRY_VOID(measure_round(bench, client, i, &samples));
  }
  bench.alone_ms = samples.ours_own.p50();
  bench.alone_floor_ms = samples.floor_own.p50();

  const Figure own = Figure::of("launch + wait of true, own cgroups", samples.ours_own);
  const Figure shared = Figure::of("launch + wait of true, parent's cgroups", samples.ours_shared);
  for (size_t i = 0; i < bench.runtimes.size(); ++i) {
    const std::string& name = bench.runtimes[i].name();
    if (name == "crun") bench.mesos_scale = samples.runtimes[i].p50() / kCrunThenMs;
    const Figure theirs = Figure::of(name + " run of true", samples.runtimes[i]);
    bench.table.compare(own, theirs, "ms", name == "crun" ? at_most(0.5) : Budget{});
    bench.table.compare(shared, theirs, "ms");
  }
  bench.table.compare(own, Figure::of("bare clone3 + exec", samples.floor_own), "ms", at_most(2.5));
  bench.table.compare(shared, Figure::of("bare clone3 + exec", samples.floor_shared), "ms",
                      at_most(2.5));
  bench.table.compare(
      own, Figure::of("bare clone3 + mount /proc + exec", samples.floor_own_with_proc), "ms");
  bench.table.compare(shared, bench.mesos(kMesosLaunchMs), "ms");
  return measure_after_quiet(bench, client);
}

Status measure_launch_rates(Bench& bench) {
  const std::chrono::milliseconds duration(bench.settings.quick ? 1000 : 4000);
  const Figure mesos{"Apache Mesos, 8 in parallel (scaled)",
                     kMesosLaunchesPerSecond / bench.mesos_scale, std::nullopt};
  for (const int connections : kLanes) {
    TRY(const double shared, launch_rate(bench, connections, Groups::kShared, duration));
    bench.alone_rates[connections] = shared;
    const Figure figure{concat("launches, ", connections, " in parallel, parent's cgroups"), shared,
                        std::nullopt};
    bench.table.compare(figure, mesos, "/s", connections == 8 ? at_least(20) : Budget{});
  }
  TRY(const double own, launch_rate(bench, 8, Groups::kOwn, duration));
  for (const auto& runtime : bench.runtimes) {
    TRY(const double theirs,
        rate(8, duration, [&](int lane, Clock::time_point deadline) -> Result<int> {
          int count = 0;
          for (; Clock::now() < deadline; ++count) TRY_VOID(runtime.run_true(lane));
          return count;
        }));
    bench.table.compare({"launches, 8 in parallel, own cgroups", own, std::nullopt},
                        {runtime.name() + " run, 8 in parallel", theirs, std::nullopt}, "/s");
  }
  return {};
}

}  // namespace bench
