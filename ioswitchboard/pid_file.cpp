#include "ioswitchboard/pid_file.h"

#include <cstdint>
#include <optional>

#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"

namespace ioswitchboard {

namespace {

std::string path_in(const std::string& directory) { return base::join_path(directory, "pid"); }

}  // namespace

base::Status write_pid_file(const std::string& directory, pid_t pid) {
  TRY(const uint64_t start_time, base::process_start_time(pid));
  return base::write_file_atomic(path_in(directory), base::concat(pid, " ", start_time, "\n"));
}

namespace {

std::unexpected<base::Error> fail_none(const std::string& directory) {
  return base::fail(base::ErrorKind::kNotFound,
                    base::concat("There is no switchboard of '", directory, "'"));
}

// The process that the pid file names; nothing if the file is missing or damaged. Without its end
// it is cut short, which can leave numbers that are none of it.
struct Record {
  pid_t pid;
  uint64_t start_time;
};
std::optional<Record> read_pid_file(const std::string& directory) {
  auto content = base::read_file(path_in(directory));
  if (!content || !content->ends_with('\n')) return std::nullopt;
  const auto words = base::split(base::trim(*content), ' ');
  if (words.size() != 2) return std::nullopt;
  const auto pid = base::parse_number<pid_t>(words[0]);
  const auto start_time = base::parse_number<uint64_t>(words[1]);
  if (!pid || !start_time || *pid <= 1) return std::nullopt;
  return Record{*pid, *start_time};
}

// Whether the process was started as the switchboard of that directory.
bool serves(pid_t pid, const std::string& directory) {
  auto arguments = base::read_file(base::concat("/proc/", pid, "/cmdline"));
  if (!arguments) return false;
  for (std::string_view argument : base::split(*arguments, '\0')) {
    if (argument == base::concat("--directory=", directory)) return true;
  }
  return false;
}

// Looks at all processes: only for a directory whose pid file was damaged.
base::Result<SwitchboardProcess> search_switchboard(const std::string& directory) {
  TRY(const auto names, base::list_directory("/proc"));
  for (const auto& name : names) {
    const auto pid = base::parse_number<pid_t>(name);
    if (!pid || !serves(*pid, directory)) continue;
    auto pidfd = base::open_pidfd(*pid);
    if (pidfd && serves(*pid, directory)) return SwitchboardProcess{*pid, *std::move(pidfd)};
  }
  return fail_none(directory);
}

}  // namespace

base::Result<SwitchboardProcess> find_switchboard(const std::string& directory) {
  const auto record = read_pid_file(directory);
  if (!record) return search_switchboard(directory);
  TRY(base::Fd pidfd, base::open_pidfd(record->pid));
  // Opened first, compared then: what the descriptor names cannot change any more.
  TRY(const uint64_t found, base::process_start_time(record->pid));
  if (found != record->start_time) return fail_none(directory);
  return SwitchboardProcess{record->pid, std::move(pidfd)};
}

}  // namespace ioswitchboard
