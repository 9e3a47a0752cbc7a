#include "base/mount_namespace.h"

#include <pthread.h>
#include <sched.h>

#include <cerrno>

#include "base/thread.h"

namespace base {

namespace {

constexpr size_t kStackSize = size_t{128} * 1024;

struct Job {
  int pidfd;
  const std::function<Status()>& work;
  Status result;
};

Status enter(int pidfd) {
  // Root and working directory are shared by all threads otherwise, and the kernel moves nobody
  // whose are.
  if (unshare(CLONE_FS) < 0) return fail_errno("unshare");
  if (setns(pidfd, CLONE_NEWNS) == 0) return {};
  Error error = Error::from_errno("setns");
  if (error.code == ESRCH) error.kind = ErrorKind::kClosed;
  return fail(std::move(error));
}

void* run(void* argument) {
  auto* job = static_cast<Job*>(argument);
  job->result = enter(job->pidfd);
  if (job->result) job->result = job->work();
  return nullptr;
}

}  // namespace

// A thread that ends with the work: one that is used again would have to find the way back.
Status run_in_mount_namespace(int pidfd, const std::function<Status()>& work) {
  Job job{pidfd, work, {}};
  TRY(const pthread_t thread, start_thread(kStackSize, run, &job));
  pthread_join(thread, nullptr);
  return std::move(job.result);
}

}  // namespace base
