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

base::Result<SwitchboardProcess> find_switchboard(const std::string& directory) {
  const std::string path = path_in(directory);
  TRY(const std::string content, base::read_file(path));
  const auto words = base::split(base::trim(content), ' ');
  const auto pid = words.size() == 2 ? base::parse_number<pid_t>(words[0]) : std::nullopt;
  const auto start_time = words.size() == 2 ? base::parse_number<uint64_t>(words[1]) : std::nullopt;
  // write_file_atomic leaves no half-written file, but a power loss can leave an empty one.
  if (!pid || !start_time) {
    return base::fail(base::ErrorKind::kNotFound, base::concat("No process in '", path, "'"));
  }
  TRY(base::Fd pidfd, base::open_pidfd(*pid));
  // Opened first, compared then: what the descriptor names cannot change any more.
  TRY(const uint64_t found, base::process_start_time(*pid));
  if (found != *start_time) {
    return base::fail(base::ErrorKind::kNotFound,
                      base::concat("Process ", *pid, " is not the switchboard any more"));
  }
  return SwitchboardProcess{*pid, std::move(pidfd)};
}

}  // namespace ioswitchboard
