#include "bench/clone_floor.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "base/clone.h"
#include "base/fd.h"
#include "bench/samples.h"

namespace bench {

using base::fail_errno;
using base::Fd;
using base::Result;

namespace {

// The launcher's comes first.
constexpr std::array kControllers = {"freezer", "memory", "cpu", "cpuacct", "pids"};

constexpr char kGroup[] = "clone";
constexpr char kSharedGroup[] = "shared";

struct Child {
  std::array<int, kControllers.size()> groups;  // their cgroup.procs
  bool with_proc = false;
};

// Shares our memory, so it only makes system calls.
int run_child(void* argument) {
  const auto* child = static_cast<const Child*>(argument);
  for (const int fd : child->groups) {
    if (write(fd, "0", 1) != 1) return 1;
  }
  if (child->with_proc) {
    if (mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) < 0) return 2;
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) < 0) return 3;
  }
  char name[] = "true";
  char* argv[] = {name, nullptr};
  char* environment[] = {nullptr};
  execve("/bin/true", argv, environment);
  return 4;
}

}  // namespace

Result<CloneFloor> CloneFloor::open(const std::string& root) {
  std::vector<base::CgroupHierarchy> hierarchies;
  for (const char* controller : kControllers) {
    TRY(auto hierarchy, base::CgroupHierarchy::open(controller, root));
    TRY_VOID(hierarchy.create(kSharedGroup));
    hierarchies.push_back(std::move(hierarchy));
  }
  return CloneFloor(std::move(hierarchies));
}

Result<double> CloneFloor::run(Groups groups, bool with_proc) const {
  const auto start = Clock::now();
  const auto is_own = [groups](size_t i) { return i == 0 || groups == Groups::kOwn; };
  Child child{.groups = {}, .with_proc = with_proc};
  std::array<Fd, kControllers.size()> fds;
  for (size_t i = 0; i < kControllers.size(); ++i) {
    if (is_own(i)) TRY_VOID(hierarchies_[i].create(kGroup));
    TRY(fds[i],
        hierarchies_[i].open_file(is_own(i) ? kGroup : kSharedGroup, "cgroup.procs", O_WRONLY));
    child.groups[i] = fds[i].get();
  }
  base::CloneRequest clone;
  clone.flags = CLONE_NEWPID | CLONE_NEWNS;
  clone.run = run_child;
  clone.argument = &child;
  base::Cloned cloned;
  const int code = base::clone_vfork(clone, &cloned);
  if (code < 0) return fail_errno("clone3", -code);
  const Fd pidfd(cloned.pidfd);
  siginfo_t info{};
  while (waitid(P_PIDFD, static_cast<id_t>(pidfd.get()), &info, WEXITED) < 0) {
    if (errno != EINTR) return fail_errno("waitid");
  }
  for (size_t i = 0; i < kControllers.size(); ++i) {
    if (is_own(i)) TRY_VOID(hierarchies_[i].remove(kGroup));
  }
  if (info.si_code != CLD_EXITED || info.si_status != 0) {
    return base::fail("The bare clone of /bin/true has failed");
  }
  return milliseconds_since(start);
}

}  // namespace bench
