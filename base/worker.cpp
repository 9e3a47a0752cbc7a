#include "base/worker.h"

#include <event2/event_struct.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/thread.h"

namespace base::internal {

namespace {

constexpr size_t kThreads = 4;
constexpr size_t kStackSize = 256 * 1024;

struct Job {
  std::function<void()> work;
  std::function<void()> done;
};

// One per loop's thread. Finished jobs come back through an eventfd that the loop watches.
class Pool {
 public:
  Pool() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!wake_) std::abort();
    event_assign(
        &event_, EventLoop::current().base(), wake_.get(), EV_READ | EV_PERSIST,
        [](evutil_socket_t, short, void* self) { static_cast<Pool*>(self)->run_finished(); }, this);
    if (event_add(&event_, nullptr) < 0) std::abort();
  }

  ~Pool() {
    event_del(&event_);
    std::deque<Job> dropped;
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
      dropped.swap(queue_);
    }
    changed_.notify_all();
    for (pthread_t thread : threads_) pthread_join(thread, nullptr);
  }

  void post(Job job) {
    bool wanted = false;
    {
      std::lock_guard lock(mutex_);
      queue_.push_back(std::move(job));
      wanted = queue_.size() > idle_;
    }
    if (wanted && threads_.size() < kThreads) start_thread();
    if (threads_.empty()) {
      // The host has no thread to spare. Late is better than never.
      std::unique_lock lock(mutex_);
      do_first(lock);
    }
    changed_.notify_one();
  }

 private:
  void start_thread() {
    const auto serve = [](void* self) -> void* {
      static_cast<Pool*>(self)->serve();
      return nullptr;
    };
    if (auto thread = base::start_thread(kStackSize, serve, this)) threads_.push_back(*thread);
  }

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      --idle_;
      if (stopping_) return;
      do_first(lock);
    }
  }

  void do_first(std::unique_lock<std::mutex>& lock) {
    Job job = std::move(queue_.front());
    queue_.pop_front();
    lock.unlock();
    job.work();
    lock.lock();
    finished_.push_back(std::move(job));
    const uint64_t one = 1;
    // A full counter would still wake the loop, so the result does not matter.
    [[maybe_unused]] ssize_t n = ::write(wake_.get(), &one, sizeof(one));
  }

  void run_finished() {
    uint64_t count;
    [[maybe_unused]] ssize_t n = ::read(wake_.get(), &count, sizeof(count));
    std::deque<Job> finished;
    {
      std::lock_guard lock(mutex_);
      finished.swap(finished_);
    }
    for (auto& job : finished) job.done();
  }

  Fd wake_;
  event event_{};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> queue_;
  std::deque<Job> finished_;
  size_t idle_ = 0;
  bool stopping_ = false;
  std::vector<pthread_t> threads_;  // the loop's thread only
};

std::unique_ptr<Pool>& pool() {
  thread_local std::unique_ptr<Pool> instance;
  return instance;
}

}  // namespace

void post_to_worker(std::function<void()> work, std::function<void()> done) {
  prepare_workers();
  pool()->post(Job{std::move(work), std::move(done)});
}

void stop_workers() {
  // Again, if what the dropped work owned has posted work.
  while (pool() != nullptr) pool().reset();
}

}  // namespace base::internal

namespace base {

void prepare_workers() {
  auto& pool = internal::pool();
  if (pool == nullptr) pool = std::make_unique<internal::Pool>();
}

}  // namespace base
