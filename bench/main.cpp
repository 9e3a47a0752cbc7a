// mesos-bench: measures the agent beside crun, runc, conmon and bare system calls, and prints one
// table. Started by scripts/bench, which gives it namespaces of its own and cleans up behind it.

#include <gflags/gflags.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string_view>

#include "base/strings.h"
#include "bench/copy_floor.h"
#include "bench/echo_floor.h"
#include "bench/operator_calls.h"
#include "bench/rows.h"

DEFINE_string(directory, "",
              "A directory for everything that the run writes; what counts is written below "
              "`volatile`, which can be a tmpfs.");
DEFINE_string(cgroups_root, "", "The cgroup for everything that the run makes in hierarchies.");
DEFINE_string(crun, "", "The path of crun; empty: not compared with.");
DEFINE_string(runc, "", "The path of runc; empty: not compared with.");
DEFINE_bool(quick, false, "Few repetitions: under a minute.");
DEFINE_string(conmon, "", "The path of conmon; empty: not compared with.");
DEFINE_bool(large, false, "Also with 1,000 containers.");
DEFINE_bool(huge, false, "Also with 1,000 and 5,000 containers.");
DEFINE_string(only, "",
              "Measure only this: launch, rate, session, key, stream, conmon, many or task.");

namespace {

using base::Result;
using base::Status;
using bench::Bench;
using bench::Settings;
using bench::Table;

struct Measurement {
  std::string_view name;
  const char* title;
  Status (*run)(Bench&);
};

constexpr Measurement kMeasurements[] = {
    {"launch", "launches, one at a time", bench::measure_launches},
    {"rate", "launches per second", bench::measure_launch_rates},
    {"session", "sessions", bench::measure_sessions},
    {"key", "keystrokes", bench::measure_keys},
    {"stream", "output", bench::measure_streams},
    {"conmon", "sessions beside conmon's", bench::measure_beside_conmon},
    {"many", "many containers", bench::measure_many_containers},
    {"task", "tasks of a master", bench::measure_tasks},
};

Settings read_settings() {
  Settings settings;
  std::error_code ignored;
  settings.self = std::filesystem::read_symlink("/proc/self/exe", ignored);
  settings.programs = std::filesystem::path(settings.self).parent_path();
  settings.directory = FLAGS_directory;
  settings.cgroups_root = FLAGS_cgroups_root;
  settings.crun = FLAGS_crun;
  settings.runc = FLAGS_runc;
  settings.conmon = FLAGS_conmon;
  settings.quick = FLAGS_quick;
  settings.large = FLAGS_large || FLAGS_huge;
  settings.huge = FLAGS_huge;
  return settings;
}

Status measure(const Settings& settings, Table* table) {
  TRY(const auto floor, bench::CloneFloor::open(settings.cgroups_root + "/floor"));
  TRY(auto agent, bench::AgentProcess::start(
                      {settings.programs + "/mesos-agent", settings.directory + "/agent",
                       settings.directory + "/volatile/agent", settings.cgroups_root + "/agent"}));
  TRY(auto client, bench::Client::connect(agent.port()));
  TRY_VOID(bench::perform(
      client, bench::launch_root(bench::root_id(bench::kParent), {"/bin/sleep", "100000"})));

  Bench bench{.settings = settings, .table = *table, .agent = agent, .floor = floor};
  for (const std::string* program : {&settings.crun, &settings.runc}) {
    if (program->empty()) continue;
    bench.runtimes.emplace_back(*program, settings.directory, settings.cgroups_root);
  }
  for (const auto& measurement : kMeasurements) {
    // All others are scaled by what this one measures.
    const bool needed = measurement.name == kMeasurements[0].name;
    if (!FLAGS_only.empty() && FLAGS_only != measurement.name && !needed) continue;
    std::fprintf(stderr, "bench: %s\n", measurement.title);
    table->section(measurement.title);
    if (auto done = measurement.run(bench); !done) {
      table->failed(measurement.title, done.error().message);
    }
  }
  return {};
}

int run_bench() {
  const Settings settings = read_settings();
  if (settings.directory.empty() || settings.cgroups_root.empty()) {
    std::fputs("mesos-bench: start it by way of scripts/bench\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  Table table;
  if (auto measured = measure(settings, &table); !measured) {
    table.failed("the run", measured.error().message);
  }
  table.print();
  return table.any_failed() ? 1 : 0;
}

// The parts of this program that run as processes of their own.
int run_part(std::string_view part, int argc, char** argv) {
  if (part == "write" && argc == 3) {
    return bench::run_writer(base::parse_number<uint64_t>(argv[2]).value_or(0));
  }
  if (part == "copy") return bench::run_copier();
  if (part == "echo-terminal") return bench::run_echo_server(bench::EchoKind::kTerminal);
  if (part == "echo-pipe") return bench::run_echo_server(bench::EchoKind::kPipe);
  std::fprintf(stderr, "mesos-bench: there is no part '%s'\n", argv[1]);
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && argv[1][0] != '-') return run_part(argv[1], argc, argv);
  gflags::SetUsageMessage("measures the agent; started by scripts/bench");
  gflags::ParseCommandLineFlags(&argc, &argv, false);
  return run_bench();
}
