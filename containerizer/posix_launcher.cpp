#include <signal.h>
#include <sys/types.h>

#include <map>
#include <set>

#include "base/combine.h"
#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "containerizer/helper_process.h"

namespace containerizer {

using base::concat;
using base::Result;
using base::Status;
using base::Task;

namespace {

struct ProcessEntry {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
};

// pid, parent and session of every process of the host that is alive.
std::vector<ProcessEntry> list_processes() {
  std::vector<ProcessEntry> entries;
  auto names = base::list_directory("/proc");
  if (!names) return entries;
  for (const auto& name : *names) {
    const auto pid = base::parse_number<pid_t>(name);
    if (!pid) continue;
    auto stat = base::read_file(concat("/proc/", name, "/stat"));
    if (!stat) continue;
    const size_t end = stat->rfind(')');
    if (end == std::string::npos) continue;
    const auto fields = base::split(std::string_view(*stat).substr(end + 2), ' ');
    if (fields.size() < 4) continue;
    // A zombie is dead, however long its parent takes to reap it.
    if (fields[0] == "Z" || fields[0] == "X") continue;
    entries.push_back({*pid, base::parse_number<pid_t>(fields[1]).value_or(0),
                       base::parse_number<pid_t>(fields[3]).value_or(0)});
  }
  return entries;
}

class PosixLauncher final : public Launcher {
 public:
  explicit PosixLauncher(HelperImage helper) : helper_(std::move(helper)) {}

  Result<ParkedProcess> start(const LaunchRequest& request) override {
    if (request.spec->clone_namespaces != 0 || request.spec->enter_namespaces != 0) {
      return base::fail(base::ErrorKind::kUnsupported,
                        "The posix launcher does not support namespaces");
    }
    TRY(ParkedProcess process, start_helper(helper_, request, nullptr, [] {}));
    inits_[request.id] = process.pid;
    return process;
  }

  // Everything in the container's session and everything descending from its init. A process that
  // has left both escapes: this is why the linux launcher is the default wherever it can be.
  Task<Status> kill_all(const ContainerId& id, int pidfd) override {
    auto at = inits_.find(id);
    if (at == inits_.end()) co_return {};
    const pid_t init = at->second;
    // First, so that init gets to write the command's status.
    co_await kill_below(init);
    if (pidfd >= 0) {
      (void)base::send_signal(pidfd, SIGKILL);
      (void)co_await base::wait_for_exit(pidfd);
    }
    // What init has started since we looked is in its session still.
    co_await kill_below(init);
    co_return {};
  }

  Status cleanup(const ContainerId& id) override {
    inits_.erase(id);
    return {};
  }

  bool owns_process(const ContainerId& id, pid_t pid) override {
    // The start time, which the caller has compared, is all there is to know.
    inits_[id] = pid;
    return true;
  }

  std::vector<ContainerId> find_containers() override { return {}; }

 private:
  static constexpr std::chrono::seconds kOneDeath{5};

  // Kills and looks again until nothing is left.
  static Task<void> kill_below(pid_t init) {
    std::set<pid_t> known = {init};
    while (true) {
      std::vector<base::Fd> victims;
      for (const pid_t pid : find_below(init, &known)) {
        auto victim = base::open_pidfd(pid);
        if (!victim || !base::send_signal(victim->get(), SIGKILL)) continue;
        victims.push_back(*std::move(victim));
      }
      if (victims.empty()) co_return;
      for (const auto& victim : victims) {
        (void)co_await base::with_timeout(base::wait_for_exit(victim.get()), kOneDeath);
      }
    }
  }

  // All at once, before any is killed: afterwards descent can no longer be seen. Adds to `known`.
  static std::set<pid_t> find_below(pid_t init, std::set<pid_t>* known) {
    const auto entries = list_processes();
    std::set<pid_t> found;
    size_t before;
    do {
      before = found.size();
      for (const auto& entry : entries) {
        if (entry.pid == init) continue;
        if (entry.session != init && !known->contains(entry.parent)) continue;
        found.insert(entry.pid);
        known->insert(entry.pid);
      }
    } while (found.size() > before);
    return found;
  }

  const HelperImage helper_;
  std::map<ContainerId, pid_t> inits_;
};

}  // namespace

std::unique_ptr<Launcher> make_posix_launcher(HelperImage helper) {
  return std::make_unique<PosixLauncher>(std::move(helper));
}

}  // namespace containerizer
