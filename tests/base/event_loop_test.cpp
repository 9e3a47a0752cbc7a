#include "base/event_loop.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/fd_watch.h"
#include "base/scope.h"
#include "base/sync.h"
#include "tests/base/loop_test.h"

namespace {

using base::Event;
using base::Task;
using tests::Log;
using namespace std::chrono_literals;
using Loop = tests::LoopTest;

// Signals `there` whenever `here` is signalled, without end.
Task<void> echo(Event& here, Event& there, int& count) {
  while (true) {
    co_await here.wait();
    here.clear();
    ++count;
    there.set();
  }
}

TEST_F(Loop, lets_timers_run_while_coroutines_signal_each_other) {
  Event ping, pong;
  int count = 0;
  base::Scope scope;
  scope.spawn(echo(ping, pong, count));
  scope.spawn(echo(pong, ping, count));
  ping.set();
  run(base::sleep_task(20ms));
  EXPECT_GT(count, 100);
}

TEST_F(Loop, lets_descriptors_be_read_while_coroutines_signal_each_other) {
  Event ping, pong;
  int count = 0;
  base::Scope scope;
  scope.spawn(echo(ping, pong, count));
  scope.spawn(echo(pong, ping, count));
  ping.set();
  base::Fd fd(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  base::FdWatch watch(fd.get(), base::FdWatch::kRead);
  run([](base::FdWatch& w) -> Task<void> { co_await w.readable(); }(watch));
}

TEST_F(Loop, resumes_in_order) {
  Log log;
  Event event;
  base::Scope scope;
  auto body = [&](std::string name, int turns) -> Task<void> {
    co_await event.wait();
    for (int i = 0; i < turns; ++i) {
      log.push_back(name);
      co_await base::next_turn();
    }
  };
  scope.spawn(body("a", 3));
  scope.spawn(body("b", 2));
  scope.spawn(body("c", 3));
  event.set();
  settle();
  EXPECT_EQ(log, (Log{"a", "b", "c", "a", "b", "c", "a", "c"}));
}

TEST_F(Loop, takes_a_turn_for_descriptors_before_the_next_turn) {
  base::Fd fd(eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC));
  base::FdWatch watch(fd.get(), base::FdWatch::kRead);
  Log log;
  base::Scope scope;
  auto reader = [&]() -> Task<void> {
    co_await watch.readable();
    log.push_back("descriptor");
  };
  auto spinner = [&]() -> Task<void> {
    co_await base::next_turn();
    co_await base::next_turn();
    log.push_back("two turns");
  };
  scope.spawn(spinner());
  scope.spawn(reader());
  settle();
  EXPECT_EQ(log.size(), 2u);
  EXPECT_EQ(log.front(), "descriptor");
}

TEST_F(Loop, gives_everybody_a_turn_when_many_are_ready) {
  Event event;
  int count = 0;
  base::Scope scope;
  auto body = [&]() -> Task<void> {
    co_await event.wait();
    ++count;
  };
  for (int i = 0; i < 10'000; ++i) scope.spawn(body());
  event.set();
  run(scope.join());
  EXPECT_EQ(count, 10'000);
}

TEST_F(Loop, does_not_run_when_stopped_before) {
  loop_.stop();
  loop_.run();
  settle();  // it runs again afterwards
}

TEST_F(Loop, stops_when_a_task_stops_it_at_once) {
  auto body = [this]() -> Task<void> {
    loop_.stop();
    co_return;
  };
  base::Scope scope;
  scope.spawn(body());
  loop_.run();
}

TEST_F(Loop, keeps_what_is_ready_when_it_stops) {
  Log log;
  base::Scope scope;
  auto body = [&](std::string name) -> Task<void> {
    co_await base::next_turn();
    log.push_back(name);
    loop_.stop();
  };
  scope.spawn(body("a"));
  scope.spawn(body("b"));
  loop_.run();
  EXPECT_EQ(log, Log{"a"});
  loop_.run();
  EXPECT_EQ(log, (Log{"a", "b"}));
}

TEST_F(Loop, ignores_sigpipe) {
  struct sigaction action{};
  sigaction(SIGPIPE, nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_IGN);
}

TEST(LoopObject, can_be_made_again) {
  for (int i = 0; i < 3; ++i) {
    base::EventLoop loop;
    EXPECT_EQ(&base::EventLoop::current(), &loop);
    base::Scope scope;
    scope.spawn([](base::EventLoop& l) -> Task<void> {
      co_await base::sleep_for(1ms);
      l.stop();
    }(loop));
    loop.run();
    EXPECT_EQ(scope.size(), 0u);
  }
}

TEST(LoopObject, may_end_while_tasks_are_ready) {
  base::Event event;
  base::EventLoop loop;
  base::Scope scope;
  scope.spawn([](base::Event& e) -> Task<void> { co_await e.wait(); }(event));
  event.set();
}

TEST(LoopObject, must_be_there) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(base::EventLoop::current(), "");
}

}  // namespace
