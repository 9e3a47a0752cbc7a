// Blocking work (deleting a tree, reading a large directory) off the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include "base/sync.h"
#include "base/task.h"

namespace base {

// Takes what handing over work needs (a descriptor), so that it is there when there are no more.
void prepare_workers();

namespace internal {
// Runs `work` on a worker thread and then `done` on the loop's thread, where both are destroyed.
// A thread is started when there is work and none is idle.
void post_to_worker(std::function<void()> work, std::function<void()> done);

// Waits for the work that has begun and joins the threads. What is queued is dropped and `done` is
// not called any more. The loop does this when it is destroyed.
void stop_workers();
}  // namespace internal

// Runs `f` on a worker thread and gives what it returns, which can be any object that can be moved
// (a Result, mostly). `f` must own everything that it touches: if the awaiting coroutine is
// cancelled, `f` still runs to its end and its result is dropped. Only the end of the loop drops
// work that has not begun. `f` and its result are destroyed on the loop's thread.
//
// The threads take no signals and have little stack (256 KiB).
template <typename F>
Task<std::invoke_result_t<F>> run_on_worker(F f) {
  using R = std::invoke_result_t<F>;
  static_assert(std::is_object_v<R>, "let the work return a Status");
  struct Job {
    F work;
    std::optional<R> result;
    Event* finished;  // nullptr: nobody waits any more
  };
  Event finished;
  auto job = std::make_shared<Job>(Job{std::move(f), std::nullopt, &finished});
  struct Detach {
    Job* job;
    ~Detach() { job->finished = nullptr; }
  } detach{job.get()};
  internal::post_to_worker([job] { job->result.emplace(job->work()); },
                           [job] {
                             if (job->finished != nullptr) job->finished->set();
                           });
  co_await finished.wait();
  co_return std::move(*job->result);
}

}  // namespace base
