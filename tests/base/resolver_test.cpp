#include "base/resolver.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <latch>
#include <memory>
#include <thread>

#include "base/scope.h"
#include "base/strings.h"
#include "base/worker.h"
#include "tests/base/loop_test.h"

namespace {

using base::ask_resolver;
using base::concat;
using base::kResolverQueue;
using base::kResolverThreads;
using base::Result;
using base::run_on_resolver;
using base::Task;
using tests::Log;

// A name server that does not answer until it is let go, and counts what it is asked.
struct Silent {
  std::latch go{1};
  std::atomic<int> begun = 0;
  std::atomic<int> ended = 0;
};

std::function<std::string()> ask(const std::shared_ptr<Silent>& server, std::string answer = "") {
  return [server, answer = std::move(answer)] {
    ++server->begun;
    server->go.wait();
    ++server->ended;
    return answer;
  };
}

class Resolver : public tests::LoopTest {
 protected:
  void TearDown() override {
    scope_.cancel();
    if (!server_->go.try_wait()) server_->go.count_down();
    await([&] { return server_->ended == server_->begun; });
  }

  // Spawns one who asks, and notes the answer, or "error".
  void spawn(std::string question, std::string answer) {
    scope_.spawn([](Resolver& self, std::string text, std::string reply) -> Task<void> {
      const auto got = co_await ask_resolver(std::move(text), ask(self.server_, std::move(reply)));
      self.log_.push_back(got ? *got : "error");
    }(*this, std::move(question), std::move(answer)));
  }

  // Until every thread hangs.
  void occupy() {
    for (size_t i = 0; i < kResolverThreads; ++i) spawn(concat("hung ", i), "late");
    await([&] { return server_->begun == static_cast<int>(kResolverThreads); });
  }

  const std::shared_ptr<Silent> server_ = std::make_shared<Silent>();
  Log log_;
  base::Scope scope_;
};

TEST_F(Resolver, gives_answers) {
  EXPECT_EQ(run(ask_resolver("a", [] { return std::string("1"); })).value(), "1");
  EXPECT_EQ(run(ask_resolver("a", [] { return std::string("2"); })).value(), "2")
      << "what was answered is asked again";
  const auto make = []() -> Result<std::unique_ptr<int>> { return std::make_unique<int>(3); };
  EXPECT_EQ(*run(run_on_resolver(make)).value(), 3);
  const auto failed = run(run_on_resolver([]() -> Result<int> { return base::fail("no"); }));
  EXPECT_EQ(failed.error().message, "no");
}

TEST_F(Resolver, leaves_the_workers_alone) {
  occupy();
  spawn("one more", "late");
  settle();
  // More than there are worker threads, and all of them at once.
  auto body = []() -> Task<void> {
    auto all = std::make_shared<std::latch>(4);
    const auto meet = [all] {
      all->arrive_and_wait();
      return 0;
    };
    co_await base::all_of(base::run_on_worker(meet), base::run_on_worker(meet),
                          base::run_on_worker(meet), base::run_on_worker(meet));
  };
  run(body());
  EXPECT_EQ(log_, Log{});
}

TEST_F(Resolver, asks_the_same_question_once) {
  for (int i = 0; i < 3; ++i) spawn("who is 10.0.0.1?", concat("asked by ", i));
  spawn("who is 10.0.0.2?", "other");
  await([&] { return server_->begun == 2; });
  settle();
  EXPECT_EQ(server_->begun, 2);
  server_->go.count_down();
  run(scope_.join());
  EXPECT_EQ(server_->begun, 2);
  EXPECT_EQ(std::ranges::count(log_, "asked by 0"), 3);
  EXPECT_EQ(std::ranges::count(log_, "other"), 1);
}

TEST_F(Resolver, asks_again_what_has_no_text) {
  for (int i = 0; i < 3; ++i) spawn("", concat("answer ", i));
  await([&] { return server_->begun == 3; });
}

TEST_F(Resolver, joins_those_who_come_again_to_what_still_hangs) {
  // Each try of a connection gives up after its time, and the next asks for the same name.
  spawn("hung", "first");
  await([&] { return server_->begun == 1; });
  scope_.cancel();
  for (int i = 0; i < 5; ++i) spawn("hung", "again");
  settle();
  EXPECT_EQ(server_->begun, 1);
  server_->go.count_down();
  run(scope_.join());
  EXPECT_EQ(server_->begun, 1);
  EXPECT_EQ(log_, Log(5, "first"));
}

TEST_F(Resolver, bounds_what_waits) {
  occupy();
  for (size_t i = 0; i < kResolverQueue; ++i) spawn(concat("queued ", i), "late");
  settle();
  EXPECT_EQ(log_, Log{});
  const auto refused = run(ask_resolver("one too many", ask(server_)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, EAGAIN);
  EXPECT_EQ(refused.error().message,
            "the host's resolver is too slow: 64 questions wait for it already");
  spawn("queued 0", "late");  // is no question more
  settle();
  EXPECT_EQ(log_, Log{});
  server_->go.count_down();
  run(scope_.join());
  EXPECT_EQ(log_.size(), kResolverThreads + kResolverQueue + 1);
  EXPECT_EQ(server_->begun, static_cast<int>(kResolverThreads + kResolverQueue));
}

TEST_F(Resolver, drops_what_nobody_waits_for_any_more) {
  occupy();
  {
    base::Scope impatient;
    for (size_t i = 0; i < kResolverQueue; ++i) {
      impatient.spawn([](auto server, size_t n) -> Task<void> {
        (void)co_await ask_resolver(concat("queued ", n), ask(server));
      }(server_, i));
    }
    settle();
  }
  spawn("there is room", "in the end");
  spawn("queued 0", "is asked anew");
  settle();
  server_->go.count_down();
  run(scope_.join());
  EXPECT_EQ(server_->begun, static_cast<int>(kResolverThreads) + 2);
  EXPECT_EQ(std::ranges::count(log_, "in the end"), 1);
  EXPECT_EQ(std::ranges::count(log_, "is asked anew"), 1);
}

TEST(ResolverOfALoop, is_left_behind_while_it_hangs) {
  const auto server = std::make_shared<Silent>();
  auto dropped = std::make_shared<int>(0);
  {
    base::EventLoop loop;
    base::Scope scope;
    const auto body = [](auto from, std::string question, auto owned) -> Task<void> {
      (void)co_await ask_resolver(std::move(question), [from, owned] {
        ++from->begun;
        from->go.wait();
        ++from->ended;
        return concat("an answer that needs memory of its own ", *owned);
      });
      ADD_FAILURE();
    };
    for (size_t i = 0; i < kResolverThreads + 3; ++i) {
      scope.spawn(body(server, concat("question ", i), dropped));
    }
    while (server->begun < static_cast<int>(kResolverThreads)) std::this_thread::yield();
  }
  // The loop has ended, and they have not.
  EXPECT_EQ(server->ended, 0);
  EXPECT_EQ(dropped.use_count(), 1 + static_cast<long>(kResolverThreads));
  server->go.count_down();
  while (dropped.use_count() > 1) std::this_thread::yield();
  EXPECT_EQ(server->ended, static_cast<int>(kResolverThreads));
  EXPECT_EQ(server->begun, static_cast<int>(kResolverThreads)) << "what was queued is dropped";
}

TEST(ResolverOfALoop, starts_anew_with_the_next_loop) {
  for (int i = 0; i < 3; ++i) {
    base::EventLoop loop;
    std::string got;
    {
      base::Scope scope;
      scope.spawn([](std::string& answer, int n) -> Task<void> {
        answer = (co_await ask_resolver("q", [n] { return std::to_string(n); })).value();
        base::EventLoop::current().stop();
      }(got, i));
      loop.run();
    }
    EXPECT_EQ(got, std::to_string(i));
  }
}

}  // namespace
