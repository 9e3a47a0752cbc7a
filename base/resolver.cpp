#include "base/resolver.h"

#include <event2/event_struct.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <mutex>
#include <vector>

#include "base/event_loop.h"
#include "base/fd.h"
#include "base/strings.h"
#include "base/sync.h"
#include "base/thread.h"

namespace base {

namespace {

constexpr size_t kStackSize = 256 * 1024;

// There may be room for it later.
std::unexpected<Error> fail_for_now(Error error) {
  error.code = EAGAIN;
  return fail(std::move(error));
}

struct Question {
  std::string text;
  std::function<std::string()> ask;
  std::string answer;

  // The loop's thread only.
  Event answered;
  size_t waiting = 0;
};
using QuestionPtr = std::shared_ptr<Question>;

struct Thread {
  pthread_t id{};          // the loop's thread only
  bool is_asking = false;  // with the mutex
};

// What the loop and the threads have in common. Lives as long as any of them.
struct Shared {
  Fd wake{eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<QuestionPtr> queue;
  std::vector<QuestionPtr> answered;
  std::list<Thread> threads;  // grows on the loop's thread only
  size_t idle = 0;
  bool left = false;  // by the loop
};

void answer_all(Shared& shared, Thread& self) {
  std::unique_lock lock(shared.mutex);
  while (true) {
    ++shared.idle;
    shared.changed.wait(lock, [&] { return shared.left || !shared.queue.empty(); });
    --shared.idle;
    if (shared.left) return;
    QuestionPtr question = std::move(shared.queue.front());
    shared.queue.pop_front();
    self.is_asking = true;
    lock.unlock();
    question->answer = question->ask();
    question->ask = nullptr;
    lock.lock();
    if (shared.left) return;
    self.is_asking = false;
    shared.answered.push_back(std::move(question));
    const uint64_t one = 1;
    // A full counter would still wake the loop, so the result does not matter.
    [[maybe_unused]] const ssize_t n = ::write(shared.wake.get(), &one, sizeof(one));
  }
}

// What a thread is given, and owns.
struct Start {
  std::shared_ptr<Shared> shared;
  Thread& thread;
};

void* run_thread(void* data) {
  const std::unique_ptr<Start> start(static_cast<Start*>(data));
  answer_all(*start->shared, start->thread);
  return nullptr;
}

// The loop's side; one per loop's thread.
class Resolver {
 public:
  // Of this thread's loop, made if there is none yet.
  static Result<Resolver*> current();
  ~Resolver();

  // The question if it is being asked already, or else a new one.
  Result<QuestionPtr> post(std::string text, std::function<std::string()> ask);

  // Nobody waits for the answer any more.
  void drop(const QuestionPtr& question);

 private:
  explicit Resolver(std::shared_ptr<Shared> shared);
  Status start_thread();
  void deliver();

  const std::shared_ptr<Shared> shared_;
  event wake_{};
  std::map<std::string, QuestionPtr> open_;  // what has not been answered, and has a text
};

std::unique_ptr<Resolver>& instance() {
  thread_local std::unique_ptr<Resolver> resolver;
  return resolver;
}

Result<Resolver*> Resolver::current() {
  auto& resolver = instance();
  if (resolver == nullptr) {
    auto shared = std::make_shared<Shared>();
    if (!shared->wake) return fail_for_now(Error::from_errno("eventfd"));
    resolver.reset(new Resolver(std::move(shared)));
    EventLoop::current().at_end([] { instance().reset(); });
  }
  return resolver.get();
}

Resolver::Resolver(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {
  event_assign(
      &wake_, EventLoop::current().base(), shared_->wake.get(), EV_READ | EV_PERSIST,
      [](evutil_socket_t, short, void* self) { static_cast<Resolver*>(self)->deliver(); }, this);
  if (event_add(&wake_, nullptr) < 0) std::abort();
}

Resolver::~Resolver() {
  event_del(&wake_);
  std::deque<QuestionPtr> dropped;
  std::vector<pthread_t> idle;
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->left = true;
    dropped.swap(shared_->queue);
    for (const Thread& thread : shared_->threads) {
      // Nobody knows when a look-up ends.
      if (thread.is_asking) {
        pthread_detach(thread.id);
      } else {
        idle.push_back(thread.id);
      }
    }
  }
  shared_->changed.notify_all();
  for (const pthread_t thread : idle) pthread_join(thread, nullptr);
}

Result<QuestionPtr> Resolver::post(std::string text, std::function<std::string()> ask) {
  if (const auto same = open_.find(text); same != open_.end()) return same->second;
  auto question = std::make_shared<Question>();
  question->text = std::move(text);
  question->ask = std::move(ask);
  bool wanted = false;
  {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->queue.size() >= kResolverQueue) {
      return fail_for_now(Error(concat("the host's resolver is too slow: ", kResolverQueue,
                                       " questions wait for it already")));
    }
    wanted = shared_->queue.size() >= shared_->idle;
  }
  if (wanted && shared_->threads.size() < kResolverThreads) {
    if (auto started = start_thread(); !started && shared_->threads.empty()) {
      return fail_for_now(std::move(started).error());
    }
  }
  if (!question->text.empty()) open_.emplace(question->text, question);
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->queue.push_back(question);
  }
  shared_->changed.notify_one();
  return question;
}

Status Resolver::start_thread() {
  Thread& thread = shared_->threads.emplace_back();
  auto start = std::make_unique<Start>(shared_, thread);
  auto started = base::start_thread(kStackSize, run_thread, start.get());
  if (!started) {
    shared_->threads.pop_back();
    return fail(std::move(started).error());
  }
  (void)start.release();  // the thread's
  thread.id = *started;
  return {};
}

void Resolver::drop(const QuestionPtr& question) {
  {
    const std::lock_guard lock(shared_->mutex);
    if (std::erase(shared_->queue, question) == 0) return;  // it has begun
  }
  open_.erase(question->text);
}

void Resolver::deliver() {
  uint64_t count;
  [[maybe_unused]] const ssize_t n = ::read(shared_->wake.get(), &count, sizeof(count));
  std::vector<QuestionPtr> answered;
  {
    const std::lock_guard lock(shared_->mutex);
    answered.swap(shared_->answered);
  }
  for (const QuestionPtr& question : answered) {
    open_.erase(question->text);
    question->answered.set();
  }
}

class Waiting {
 public:
  explicit Waiting(QuestionPtr question) : question_(std::move(question)) { ++question_->waiting; }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    if (--question_->waiting == 0 && instance() != nullptr) instance()->drop(question_);
  }

 private:
  const QuestionPtr question_;
};

}  // namespace

Task<Result<std::string>> ask_resolver(std::string question, std::function<std::string()> ask) {
  CO_TRY(Resolver* const resolver, Resolver::current());
  CO_TRY(const QuestionPtr asked, resolver->post(std::move(question), std::move(ask)));
  const Waiting waiting(asked);
  co_await asked->answered.wait();
  co_return asked->answer;
}

}  // namespace base
