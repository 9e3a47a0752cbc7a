#include "base/bounded_work.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <climits>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "base/thread.h"

namespace base {

namespace {

constexpr size_t kStackSize = size_t{128} * 1024;

std::atomic<size_t> hanging{0};  // given up, and not at its end yet

// Belongs to the caller and to the thread: whoever is there last destroys it.
struct Job {
  explicit Job(BoundedWork given) : work(std::move(given)) {}

  const BoundedWork work;
  std::stop_source given_up;  // requested with the mutex held
  std::mutex mutex;
  std::condition_variable changed;
  bool is_apart = false;  // the caller may close its descriptors
  bool is_done = false;   // too late to give up
  std::optional<Status> result;
};

// Leaves a copy of the table, with nothing but what is named. This does not hang: whoever has let
// go of what is closed here meanwhile would not have waited for that either.
Status keep_descriptors(std::vector<int> kept) {
  if (unshare(CLONE_FILES) < 0) return fail_errno("unshare");
  std::ranges::sort(kept);
  unsigned first = 0;
  for (const int fd : kept) {
    if (fd < 0) continue;
    const auto number = static_cast<unsigned>(fd);
    if (number > first) close_range(first, number - 1, 0);
    first = number + 1;
  }
  close_range(first, UINT_MAX, 0);
  return {};
}

void set(Job& job, bool Job::* flag) {
  {
    const std::lock_guard lock(job.mutex);
    job.*flag = true;
  }
  job.changed.notify_one();
}

// Whether somebody still waits, who from now on waits for the result.
bool claim_result(Job& job) {
  const std::lock_guard lock(job.mutex);
  job.is_done = !job.given_up.stop_requested();
  return job.is_done;
}

void* serve(void* argument) {
  const std::unique_ptr<std::shared_ptr<Job>> owner(static_cast<std::shared_ptr<Job>*>(argument));
  Job& job = **owner;
  Status result = keep_descriptors(job.work.descriptors);
  const bool is_apart = result.has_value();
  set(job, &Job::is_apart);
  if (result) result = job.work.run(job.given_up.get_token());
  const bool is_late = !claim_result(job);
  if (is_late && result && job.work.undo) job.work.undo();
  // The end of a thread comes after its caller is told of it.
  if (is_apart) close_range(0, UINT_MAX, 0);
  {
    const std::lock_guard lock(job.mutex);
    job.result = std::move(result);
    if (job.given_up.stop_requested()) --hanging;
  }
  job.changed.notify_one();
  return nullptr;
}

}  // namespace

Status run_bounded(BoundedWork work, std::chrono::nanoseconds patience) {
  if (hanging >= kMostHanging) {
    return fail(ErrorKind::kTimeout, concat(kMostHanging, " system calls hang already"));
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  const auto job = std::make_shared<Job>(std::move(work));
  auto owner = std::make_unique<std::shared_ptr<Job>>(job);
  TRY(const pthread_t thread, start_thread(kStackSize, serve, owner.get()));
  (void)owner.release();  // the thread's
  {
    std::unique_lock lock(job->mutex);
    job->changed.wait(lock, [&job] { return job->is_apart; });
    job->changed.wait_until(lock, deadline, [&job] { return job->is_done || job->result; });
    if (!job->is_done && !job->result) {
      job->given_up.request_stop();
      ++hanging;
      pthread_detach(thread);
      return fail(ErrorKind::kTimeout, "a system call hangs");
    }
  }
  pthread_join(thread, nullptr);
  return *std::move(job->result);
}

}  // namespace base
