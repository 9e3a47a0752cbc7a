#include "fetcher/hadoop.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/stream.h"
#include "base/strings.h"

namespace fetcher {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;

namespace {

Result<std::string> find_hadoop() {
  const char* home = getenv("HADOOP_HOME");
  if (home != nullptr && *home != '\0') {
    std::string path = base::join_path(home, "bin/hadoop");
    if (access(path.c_str(), X_OK) == 0) return path;
  }
  const char* search = getenv("PATH");
  for (std::string_view directory : base::split(search != nullptr ? search : "", ':')) {
    std::string path = base::join_path(directory, "hadoop");
    if (path.starts_with('/') && access(path.c_str(), X_OK) == 0) return path;
  }
  return fail(ErrorKind::kNotFound,
              "this needs the command 'hadoop', which is neither in --hadoop_home nor in $PATH");
}

// Starts it, with its output to `out` if that is not -1. It dies with us.
Result<pid_t> start(const std::vector<std::string>& words, int out) {
  std::vector<char*> argv;
  for (const auto& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  const pid_t pid = fork();
  if (pid < 0) return base::fail_errno("fork");
  if (pid > 0) return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (out >= 0) dup2(out, STDOUT_FILENO);
  execv(argv[0], argv.data());
  _exit(127);
}

Status finish(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return base::fail_errno("wait for 'hadoop'");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFEXITED(status)) {
    return fail(concat("'hadoop' exited with status ", WEXITSTATUS(status)));
  }
  return fail(concat("'hadoop' was killed by signal ", WTERMSIG(status)));
}

}  // namespace

Status hadoop_copy(const std::string& uri, const std::string& path) {
  TRY(const std::string hadoop, find_hadoop());
  TRY(const pid_t pid,
      start({hadoop, "fs", "-copyToLocal", std::string(base::trim(uri)), path}, -1));
  return finish(pid);
}

Result<std::optional<uint64_t>> hadoop_size(const std::string& uri) {
  constexpr size_t kEnough = 4096;
  TRY(const std::string hadoop, find_hadoop());
  TRY(base::Pipe pipe, base::make_pipe());
  TRY(const pid_t pid,
      start({hadoop, "fs", "-du", std::string(base::trim(uri))}, pipe.write_end.get()));
  pipe.write_end.reset();
  std::string text;
  char buffer[kEnough];
  while (true) {
    const ssize_t n = read(pipe.read_end.get(), buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    if (text.size() < kEnough) text.append(buffer, static_cast<size_t>(n));
  }
  TRY_VOID(finish(pid));
  // "<size> [<size with replicas>] <path>", perhaps after lines that say what it found.
  for (std::string_view line : base::split(text, '\n')) {
    const std::string_view word = line.substr(0, line.find_first_of(" \t"));
    if (auto size = base::parse_number<uint64_t>(word)) return *size;
  }
  return std::nullopt;
}

}  // namespace fetcher
