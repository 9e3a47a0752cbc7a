#include "base/worker.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <latch>
#include <memory>
#include <set>
#include <thread>

#include "base/result.h"
#include "base/scope.h"
#include "tests/base/loop_test.h"

namespace {

using base::Result;
using base::run_on_worker;
using base::Task;
using tests::Log;
using tests::Mark;
using namespace std::chrono_literals;
using Workers = tests::LoopTest;

TEST_F(Workers, give_results) {
  EXPECT_EQ(run(run_on_worker([] { return 5; })), 5);
  auto box = run(run_on_worker([box = std::make_unique<int>(6)]() mutable {
    ++*box;
    return std::move(box);
  }));
  EXPECT_EQ(*box, 7);
  auto failed = run(run_on_worker([]() -> Result<int> { return base::fail("no"); }));
  EXPECT_EQ(failed.error().message, "no");
}

TEST_F(Workers, give_results_that_cannot_be_made_from_nothing) {
  struct Odd {
    explicit Odd(int n) : number(n) {}
    int number;
  };
  EXPECT_EQ(run(run_on_worker([] { return Odd(3); })).number, 3);
}

TEST_F(Workers, run_elsewhere) {
  const auto here = std::this_thread::get_id();
  auto body = [&]() -> Task<void> {
    const auto there = co_await run_on_worker([] { return std::this_thread::get_id(); });
    EXPECT_NE(there, here);
    EXPECT_EQ(std::this_thread::get_id(), here);
  };
  run(body());
}

TEST_F(Workers, do_not_hold_the_loop_up) {
  auto go = std::make_shared<std::latch>(1);
  auto body = [&]() -> Task<void> {
    co_await run_on_worker([go] {
      go->wait();
      return 0;
    });
  };
  base::Scope scope;
  scope.spawn(body());
  settle();
  EXPECT_EQ(scope.size(), 1u);
  go->count_down();
  run(scope.join());
}

TEST_F(Workers, do_two_things_at_once) {
  auto both = std::make_shared<std::latch>(2);
  auto meet = [both] {
    both->arrive_and_wait();
    return 0;
  };
  auto body = [&]() -> Task<void> {
    co_await base::all_of(run_on_worker(meet), run_on_worker(meet));
  };
  run(body());
}

TEST_F(Workers, do_many_jobs) {
  auto count = std::make_shared<std::atomic<int>>(0);
  int64_t total = 0;
  auto body = [&](int i) -> Task<void> {
    total += co_await run_on_worker([count, i] {
      ++*count;
      return i;
    });
  };
  std::vector<Task<void>> tasks;
  for (int i = 0; i < 5000; ++i) tasks.push_back(body(i));
  run(base::all_of(std::move(tasks)));
  EXPECT_EQ(*count, 5000);
  EXPECT_EQ(total, 5000 * 4999 / 2);
}

TEST_F(Workers, finish_the_work_of_a_cancelled_task) {
  auto go = std::make_shared<std::latch>(1);
  auto done = std::make_shared<std::atomic<int>>(0);
  auto body = [&]() -> Task<void> {
    co_await run_on_worker([go, done] {
      go->wait();
      ++*done;
      return 0;
    });
    ADD_FAILURE();
  };
  base::Scope scope;
  for (int i = 0; i < 10; ++i) scope.spawn(body());  // some begun, some queued
  settle();
  scope.cancel();
  go->count_down();
  // Work is done in order of posting, so this comes last.
  while (*done < 10) run(run_on_worker([] { return 0; }));
  settle();
}

TEST_F(Workers, hand_back_what_the_work_owned) {
  // The destructors run on the loop's thread, also if nobody waits any more.
  struct Owned {
    std::shared_ptr<Log> log;
    std::thread::id home = std::this_thread::get_id();
    ~Owned() { log->push_back(std::this_thread::get_id() == home ? "home" : "away"); }
  };
  auto log = std::make_shared<Log>();
  auto body = [](std::shared_ptr<Owned> owned) -> Task<void> {
    co_await run_on_worker([owned = std::move(owned)] { return 0; });
  };
  run(body(std::make_shared<Owned>(log)));
  base::Scope scope;
  scope.spawn(body(std::make_shared<Owned>(log)));
  scope.cancel();
  run(run_on_worker([] { return 0; }));
  settle();
  EXPECT_EQ(*log, (Log{"home", "home"}));
}

TEST(WorkersOfALoop, are_joined_at_its_end_and_drop_what_is_queued) {
  auto begun = std::make_shared<std::atomic<int>>(0);
  auto ended = std::make_shared<std::atomic<int>>(0);
  auto go = std::make_shared<std::latch>(1);
  {
    base::EventLoop loop;
    base::Scope scope;
    auto body = [&]() -> Task<void> {
      co_await run_on_worker([=] {
        ++*begun;
        go->wait();
        usleep(2000);
        ++*ended;
        return 0;
      });
    };
    for (int i = 0; i < 10; ++i) scope.spawn(body());
    while (*begun < 2) usleep(100);
    go->count_down();
  }
  EXPECT_EQ(*begun, *ended);
  EXPECT_LT(*ended, 10);
  EXPECT_EQ(ended.use_count(), 1);
}

TEST(WorkersOfALoop, end_with_results_that_nobody_has_taken) {
  auto value = std::make_shared<int>(5);
  {
    base::EventLoop loop;
    base::Scope scope;
    auto done = std::make_shared<std::atomic<bool>>(false);
    auto body = [&]() -> Task<void> {
      co_await run_on_worker([value, done] {
        *done = true;
        return value;
      });
    };
    scope.spawn(body());
    while (!*done) usleep(100);
  }
  EXPECT_EQ(value.use_count(), 1);
}

TEST(WorkersOfALoop, end_when_what_was_dropped_posts_more) {
  struct PostAtEnd {
    ~PostAtEnd() {
      base::internal::post_to_worker([] {}, [] {});
    }
  };
  base::EventLoop loop;
  auto go = std::make_shared<std::latch>(1);
  for (int i = 0; i < 2; ++i) {
    base::internal::post_to_worker([go] { go->wait(); }, [] {});
  }
  base::internal::post_to_worker([owned = std::make_shared<PostAtEnd>()] {}, [] {});
  go->count_down();
}

TEST_F(Workers, take_no_signals) {
  auto body = []() -> Task<void> {
    const bool blocked = co_await run_on_worker([] {
      sigset_t mask;
      pthread_sigmask(SIG_BLOCK, nullptr, &mask);
      return sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGCHLD) == 1;
    });
    EXPECT_TRUE(blocked);
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, nullptr, &mask);
    EXPECT_EQ(sigismember(&mask, SIGTERM), 0);
  };
  run(body());
}

TEST_F(Workers, have_little_stack) {
  const size_t size = run(run_on_worker([] {
    pthread_attr_t attributes;
    pthread_getattr_np(pthread_self(), &attributes);
    size_t stack = 0;
    pthread_attr_getstacksize(&attributes, &stack);
    pthread_attr_destroy(&attributes);
    return stack;
  }));
  EXPECT_LE(size, 1024u * 1024);
}

}  // namespace
