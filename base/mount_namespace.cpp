#include "base/mount_namespace.h"

#include <sched.h>

#include <cerrno>
#include <utility>

namespace base {

namespace {

Status enter(int pidfd) {
  // Root and working directory are shared by all threads otherwise, and the kernel moves nobody
  // whose are.
  if (unshare(CLONE_FS) < 0) return fail_errno("unshare");
  if (setns(pidfd, CLONE_NEWNS) == 0) return {};
  Error error = Error::from_errno("setns");
  if (error.code == ESRCH) error.kind = ErrorKind::kClosed;
  return fail(std::move(error));
}

}  // namespace

// A thread that ends with the work: one that is used again would have to find the way back.
Status run_in_mount_namespace(int pidfd, BoundedWork work, std::chrono::nanoseconds patience) {
  work.descriptors.push_back(pidfd);
  work.run = [pidfd, run = std::move(work.run)](const std::stop_token& given_up) -> Status {
    TRY_VOID(enter(pidfd));
    return run(given_up);
  };
  return run_bounded(std::move(work), patience);
}

}  // namespace base
