#include "bench/process_figures.h"

#include <chrono>
#include <string>
#include <thread>

#include "base/files.h"
#include "base/strings.h"

namespace bench {

using base::concat;
using base::Result;

Result<std::vector<pid_t>> find_processes(std::string_view name) {
  TRY(const auto entries, base::list_directory("/proc"));
  std::vector<pid_t> found;
  for (const auto& entry : entries) {
    const auto pid = base::parse_number<pid_t>(entry);
    if (!pid) continue;
    const auto command = base::read_file(concat("/proc/", *pid, "/cmdline"));
    if (!command) continue;  // ended meanwhile
    const std::string_view program(command->c_str());
    if (program.substr(program.rfind('/') + 1) == name) found.push_back(*pid);
  }
  return found;
}

Result<double> pss_kib(pid_t pid) {
  const std::string path = concat("/proc/", pid, "/smaps_rollup");
  TRY(const std::string text, base::read_file(path));
  constexpr std::string_view kField = "Pss:";
  for (std::string_view line : base::split(text, '\n')) {
    if (!line.starts_with(kField)) continue;
    const auto words = base::split(base::trim(line.substr(kField.size())), ' ');
    if (const auto kib = base::parse_number<uint64_t>(words.front())) {
      return static_cast<double>(*kib);
    }
  }
  return base::fail(concat("No Pss in ", path));
}

Result<double> cpu_milliseconds(pid_t pid) {
  const std::string tasks = concat("/proc/", pid, "/task");
  TRY(const auto threads, base::list_directory(tasks));
  double sum = 0;
  for (const auto& thread : threads) {
    auto text = base::read_file(concat(tasks, "/", thread, "/schedstat"));
    if (!text) continue;  // ended meanwhile
    const auto nanoseconds = base::parse_number<uint64_t>(base::split(*text, ' ').front());
    sum += static_cast<double>(nanoseconds.value_or(0)) / 1e6;
  }
  return sum;
}

Result<double> descriptor_count(pid_t pid) {
  TRY(const auto descriptors, base::list_directory(concat("/proc/", pid, "/fd")));
  return static_cast<double>(descriptors.size());
}

Result<Samples> pss_of(std::string_view program, size_t expected) {
  // One that has just been started does not have its name yet.
  constexpr std::chrono::seconds kPatience{5};
  const auto deadline = Clock::now() + kPatience;
  TRY(auto pids, find_processes(program));
  while (pids.size() < expected && Clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    TRY(pids, find_processes(program));
  }
  if (pids.size() < expected) {
    return base::fail(concat("Only ", pids.size(), " processes of ", program, " run"));
  }
  Samples samples;
  for (const pid_t pid : pids) {
    TRY(const double kib, pss_kib(pid));
    samples.add(kib);
  }
  return samples;
}

}  // namespace bench
