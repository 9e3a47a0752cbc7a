// Tasks of a master: how fast they come to run and to their end, and what the agent spends on them.

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "base/strings.h"
#include "bench/cluster.h"
#include "bench/process_figures.h"
#include "bench/rows.h"

namespace bench {

using base::concat;
using base::Result;
using base::Status;

namespace {

constexpr int kInFlight[] = {1, 8, 32};
constexpr double kTasksPerSecond = 100;  // what the agent has to manage

// An agent of its own that has joined a master of ours.
struct Member {
  Cluster cluster;
  AgentProcess agent;
};

Result<Member> join(Bench& bench) {
  const Settings& settings = bench.settings;
  TRY(Cluster cluster, Cluster::open());
  TRY(AgentProcess agent,
      AgentProcess::start({settings.programs + "/mesos-agent",
                           settings.directory + "/member",
                           settings.directory + "/volatile/member",
                           settings.cgroups_root + "/member",
                           {concat("--master=127.0.0.1:", cluster.port()),
                            concat("--launcher_dir=", settings.programs), "--hostname=127.0.0.1",
                            "--resources=cpus:1000;mem:1000000;disk:1000;ports:[1-2]"}}));
  TRY_VOID(cluster.serve_until([&] { return cluster.registered(); }, "the agent registers"));
  return Member{std::move(cluster), std::move(agent)};
}

Status expect_finished(const Cluster& cluster, const std::string& id) {
  if (cluster.tasks().at(id).finished) return {};
  return base::fail(concat("The task ", id, " has not ended well"));
}

double between(Clock::time_point from, Clock::time_point to) {
  return std::chrono::duration<double, std::milli>(to - from).count();
}

// One task after the other, each beside the floor.
Status measure_one_by_one(Bench& bench, Member& member) {
  Cluster& cluster = member.cluster;
  Samples to_running, to_end, floors;
  for (int i = 0; i < bench.settings.rounds(80); ++i) {
    const std::string id = concat("one-", i);
    TRY_VOID(cluster.run_task(id, "true"));
    const auto& task = cluster.tasks().at(id);
    TRY_VOID(cluster.serve_until([&] { return task.ended.has_value(); }, "a task ends"));
    TRY_VOID(expect_finished(cluster, id));
    if (!task.running) return base::fail("A task has ended without having run");
    to_running.add(between(task.launched, *task.running));
    to_end.add(between(task.launched, *task.ended));
    TRY(const double floor, bench.floor.run(Groups::kOwn, true));
    floors.add(floor);
  }
  const Figure floor = Figure::of("clone floor, own groups and /proc", floors);
  bench.table.compare(Figure::of("RunTaskMessage to TASK_RUNNING", to_running), floor, "ms");
  bench.table.compare(Figure::of("RunTaskMessage to TASK_FINISHED", to_end), floor, "ms");
  return {};
}

struct Rate {
  double per_second = 0;
  double agent_ms = 0;  // of CPU, each
};

// So many tasks of `true` under way at once.
Result<Rate> task_rate(Bench& bench, Member& member, int in_flight) {
  Cluster& cluster = member.cluster;
  const std::chrono::milliseconds duration(bench.settings.quick ? 1000 : 4000);
  const int before = cluster.ended();
  TRY(const double used_before, cpu_milliseconds(member.agent.pid()));
  const auto start = Clock::now();
  int launched = 0;
  while (Clock::now() - start < duration) {
    while (launched - (cluster.ended() - before) < in_flight) {
      TRY_VOID(cluster.run_task(concat("rate-", in_flight, "-", launched), "true"));
      ++launched;
    }
    const int so_far = cluster.ended();
    TRY_VOID(cluster.serve_until([&] { return cluster.ended() > so_far; }, "a task ends"));
  }
  const int ended = cluster.ended() - before;
  const double milliseconds = milliseconds_since(start);
  TRY(const double used, cpu_milliseconds(member.agent.pid()));
  TRY_VOID(cluster.serve_until([&] { return cluster.ended() - before >= launched; },
                               "the last tasks end"));
  for (int i = 0; i < launched; ++i) {
    TRY_VOID(expect_finished(cluster, concat("rate-", in_flight, "-", i)));
  }
  return Rate{1000.0 * ended / milliseconds, (used - used_before) / ended};
}

Status measure_rates(Bench& bench, Member& member) {
  for (const int in_flight : kInFlight) {
    TRY(const Rate rate, task_rate(bench, member, in_flight));
    bench.table.state({concat("tasks of true to their end, ", in_flight, " at once"),
                       rate.per_second, std::nullopt},
                      "/s", in_flight == kInFlight[2] ? at_least(kTasksPerSecond) : Budget{});
    Samples floors;
    for (int i = 0; i < bench.settings.rounds(16); ++i) {
      TRY(const double floor, bench.floor.run(Groups::kOwn, true));
      floors.add(floor);
    }
    bench.table.compare(
        {concat("the agent's CPU for each, ", in_flight, " at once"), rate.agent_ms, std::nullopt},
        Figure::of("clone floor, from the first call to the last", floors), "ms");
  }
  return {};
}

Status launch_sleepers(Bench& bench, Member& member, int count) {
  constexpr int kBatch = 16;
  Cluster& cluster = member.cluster;
  const auto start = Clock::now();
  for (int i = 0; i < count; i += kBatch) {
    for (int j = i; j < std::min(i + kBatch, count); ++j) {
      TRY_VOID(cluster.run_task(concat("sleep-", j), "exec sleep 100000"));
    }
    TRY_VOID(cluster.serve_until([&] { return cluster.running() >= std::min(i + kBatch, count); },
                                 "tasks run"));
  }
  bench.table.state({concat("tasks that stay, launched by ", kBatch, " until ", count, " run"),
                     1000.0 * count / milliseconds_since(start), std::nullopt},
                    "/s");
  return {};
}

Status measure_idle(Bench& bench, Member& member, int count) {
  constexpr std::chrono::seconds kTime{5};
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // what the launches have left to do
  TRY(const double before, cpu_milliseconds(member.agent.pid()));
  std::this_thread::sleep_for(kTime);
  TRY(const double after, cpu_milliseconds(member.agent.pid()));
  bench.table.state(
      {concat("idle CPU of the agent, ", count, " tasks"),
       (after - before) * 100 / std::chrono::duration<double, std::milli>(kTime).count(),
       std::nullopt},
      "%", at_most(0.2));
  return {};
}

// From the start of the program until it answers, and until a master has it back.
Status measure_return(Bench& bench, Member& member, int count) {
  Cluster& cluster = member.cluster;
  Samples to_answer, to_return;
  for (int i = 0; i < bench.settings.rounds(4); ++i) {
    const int registrations = cluster.registrations();
    const auto start = Clock::now();
    TRY(const double answers, member.agent.restart());
    to_answer.add(answers);
    TRY_VOID(cluster.serve_until([&] { return cluster.registrations() > registrations; },
                                 "the agent registers again"));
    to_return.add(milliseconds_since(start));
    if (cluster.running() != count) {
      return base::fail(concat("Of ", count, " tasks ", cluster.running(), " run after a restart"));
    }
  }
  bench.table.state(Figure::of(concat("restart to the first answer, ", count, " tasks"), to_answer),
                    "ms");
  bench.table.state(
      Figure::of(concat("restart until it is registered again, ", count, " tasks"), to_return),
      "ms");
  return {};
}

Status measure_with(Bench& bench, Member& member, int count) {
  TRY_VOID(launch_sleepers(bench, member, count));
  TRY(const double agent, pss_kib(member.agent.pid()));
  bench.table.state({concat("PSS of the agent, ", count, " tasks"), agent, std::nullopt}, "KiB",
                    at_most(32 * 1024));
  TRY(const Samples executors, pss_of("mesos-executor", static_cast<size_t>(count)));
  bench.table.state(
      Figure::of(concat("PSS of a command executor, ", executors.count(), " of them"), executors),
      "KiB", at_most(1024));
  TRY_VOID(measure_idle(bench, member, count));
  return measure_return(bench, member, count);
}

}  // namespace

Status measure_tasks(Bench& bench) {
  TRY(Member member, join(bench));
  TRY_VOID(measure_one_by_one(bench, member));
  TRY_VOID(measure_rates(bench, member));
  return measure_with(bench, member, bench.settings.large ? 1000 : 100);
}

}  // namespace bench
