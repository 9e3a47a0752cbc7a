#include <signal.h>

#include <algorithm>

#include "base/cgroup.h"
#include "base/combine.h"
#include "base/files.h"
#include "base/process.h"
#include "base/strings.h"
#include "containerizer/helper_process.h"
#include "containerizer/launch_watchdog.h"

namespace containerizer {

using base::CgroupHierarchy;
using base::concat;
using base::Fd;
using base::Result;
using base::Status;
using base::Task;

namespace {

// The directory between a container's group and those of its children, as in Apache Mesos.
constexpr std::string_view kNestingSeparator = "mesos";

Task<void> await_death(Fd pidfd) { (void)co_await base::wait_for_exit(pidfd.get()); }

class LinuxLauncher final : public Launcher {
 public:
  LinuxLauncher(HelperImage helper, CgroupHierarchy freezer, std::string agent_name,
                std::unique_ptr<LaunchWatchdog> watchdog, std::chrono::nanoseconds kill_timeout)
      : helper_(std::move(helper)),
        watchdog_(std::move(watchdog)),
        freezer_(std::move(freezer)),
        agent_name_(std::move(agent_name)),
        kill_timeout_(kill_timeout) {}

  Result<ParkedProcess> start(const LaunchRequest& request) override {
    const std::string group = group_of(request.id);
    TRY_VOID(freezer_.create(group));
    // Where it cannot be marked, a container without any checkpoint stays when it is found.
    if (!request.id.has_parent()) (void)freezer_.set_owner(group, agent_name_);
    auto process = start_in(group, request);
    if (!process) (void)freezer_.remove(group);
    return process;
  }

  Task<Status> kill_all(const ContainerId& id, int pidfd) override {
    // With a process id namespace this alone takes everything along.
    if (pidfd >= 0) {
      (void)base::send_signal(pidfd, SIGKILL);
      if (!co_await base::with_timeout(base::wait_for_exit(pidfd), kill_timeout_)) {
        co_return base::fail(base::ErrorKind::kTimeout,
                             concat("Timed out killing container ", id.to_string()));
      }
    }
    auto killed = co_await base::with_timeout(kill_group(group_of(id)), kill_timeout_);
    if (!killed) {
      co_return base::fail(base::ErrorKind::kTimeout,
                           concat("Timed out killing container ", id.to_string()));
    }
    co_return *std::move(killed);
  }

  Status cleanup(const ContainerId& id) override { return freezer_.remove(group_of(id)); }

  bool owns_process(const ContainerId& id, pid_t pid) override {
    auto pids = freezer_.processes(group_of(id));
    return pids && std::find(pids->begin(), pids->end(), pid) != pids->end();
  }

  std::vector<ContainerId> find_containers() override {
    std::vector<ContainerId> found;
    auto names = freezer_.children("");
    if (!names) return found;
    for (const auto& name : *names) {
      const auto owner = freezer_.owner(name);
      if (owner && *owner == agent_name_) find_below(ContainerId::root_of(name), &found);
    }
    return found;
  }

 private:
  Result<ParkedProcess> start_in(const std::string& group, LaunchRequest request) {
    TRY(const Fd entrance, freezer_.open_entrance(group));
    request.tracking_group = entrance.get();
    TRY_VOID(check_not_frozen(group, request.id));
    if (!request.id.has_parent()) return start_helper(helper_, request, nullptr, [] {});
    return start_helper(helper_, request, watchdog_.get(),
                        [this, id = request.id] { thaw_ancestors(id); });
  }

  // A new group is as frozen as that which it is in. Nothing can be started in there.
  Status check_not_frozen(const std::string& group, const ContainerId& id) const {
    TRY(const std::string state, freezer_.read(group, "freezer.state"));
    if (state == "THAWED") return {};
    return base::fail(base::ErrorKind::kInvalid,
                      id.has_parent() ? concat("Container ", id.parent().to_string(), " is frozen")
                                      : concat("The cgroup ", freezer_.directory(), " is frozen"));
  }

  // On the watchdog's thread. Who was frozen does not die before.
  void thaw_ancestors(ContainerId id) const {
    while (true) {
      (void)freezer_.write(group_of(id), "freezer.state", "THAWED");
      if (!id.has_parent()) return;
      id = id.parent();
    }
  }

  static std::string group_of(const ContainerId& id) { return id.to_path(kNestingSeparator); }

  void find_below(const ContainerId& id, std::vector<ContainerId>* found) {
    const std::string nested = base::join_path(group_of(id), kNestingSeparator);
    if (auto names = freezer_.children(nested)) {
      for (const auto& name : *names) find_below(id.child(name), found);
    }
    found->push_back(id);
  }

  // Kills what is in the group. Frozen processes cannot fork, and a process that is just being
  // forked is frozen as well before it runs: so what is read after freezing is all there is. The
  // loop is for processes that a frozen one had already made but not yet moved.
  Task<Status> kill_group(std::string group) {
    while (true) {
      auto pids = freezer_.processes(group);
      if (!pids) {
        if (pids.error().kind == base::ErrorKind::kNotFound) co_return {};
        co_return base::fail(std::move(pids).error());
      }
      if (pids->empty()) co_return {};
      CO_TRY_VOID(freezer_.write(group, "freezer.state", "FROZEN"));
      pids = freezer_.processes(group);
      std::vector<Task<void>> deaths;
      std::optional<base::Error> unwatched;
      for (pid_t pid : pids ? *pids : std::vector<pid_t>()) {
        auto pidfd = base::open_pidfd(pid);
        if (pidfd) {
          (void)base::send_signal(pidfd->get(), SIGKILL);
          deaths.push_back(await_death(*std::move(pidfd)));
        } else if (pidfd.error().kind != base::ErrorKind::kNotFound) {
          unwatched = std::move(pidfd).error();
        }
      }
      CO_TRY_VOID(freezer_.write(group, "freezer.state", "THAWED"));
      co_await base::all_of(std::move(deaths));
      if (unwatched) co_return base::fail(*std::move(unwatched));
    }
  }

  const HelperImage helper_;
  const std::unique_ptr<LaunchWatchdog> watchdog_;
  const CgroupHierarchy freezer_;
  const std::string agent_name_;
  const std::chrono::nanoseconds kill_timeout_;
};

}  // namespace

Result<std::unique_ptr<Launcher>> make_linux_launcher(HelperImage helper,
                                                      const std::string& cgroups_root,
                                                      std::string agent_name,
                                                      std::chrono::nanoseconds kill_timeout) {
  TRY(CgroupHierarchy freezer, CgroupHierarchy::open("freezer", cgroups_root));
  TRY(auto watchdog, LaunchWatchdog::start());
  return std::make_unique<LinuxLauncher>(std::move(helper), std::move(freezer),
                                         std::move(agent_name), std::move(watchdog), kill_timeout);
}

}  // namespace containerizer
