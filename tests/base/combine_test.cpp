#include "base/combine.h"

#include <unistd.h>

#include <memory>

#include "base/result.h"
#include "base/scope.h"
#include "base/sync.h"
#include "tests/base/loop_test.h"

namespace {

using base::all_of;
using base::any_of;
using base::Event;
using base::Task;
using tests::Log;
using tests::Mark;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using Sleep = tests::LoopTest;
using AnyOf = tests::LoopTest;
using AllOf = tests::LoopTest;
using WithTimeout = tests::LoopTest;

Task<int> at_once(int n) { co_return n; }
Task<int> when_set(Event& event, int n) {
  co_await event.wait();
  co_return n;
}

TEST_F(Sleep, is_never_too_short) {
  for (auto delay : {0ns, 1ns, 999ns, 1000ns, 1'500'000ns, 10'000'000ns}) {
    const auto start = Clock::now();
    run(base::sleep_task(delay));
    EXPECT_GE(Clock::now() - start, delay);
  }
}

TEST_F(Sleep, is_not_too_short_after_a_long_turn) {
  // libevent's idea of the time is that of the turn's beginning.
  auto body = []() -> Task<Clock::duration> {
    co_await base::next_turn();
    usleep(30'000);
    const auto start = Clock::now();
    co_await base::sleep_for(20ms);
    co_return Clock::now() - start;
  };
  EXPECT_GE(run(body()), 20ms);
}

TEST_F(Sleep, of_no_time_takes_a_turn) {
  Log log;
  base::Scope scope;
  auto body = [&](std::chrono::nanoseconds delay) -> Task<void> {
    co_await base::sleep_for(delay);
    log.push_back("slept");
  };
  scope.spawn(body(0ns));
  scope.spawn(body(-5s));
  scope.spawn(body(std::chrono::nanoseconds::min()));
  EXPECT_EQ(log, Log());
  settle();
  EXPECT_EQ(log.size(), 3u);
}

TEST_F(Sleep, of_centuries_is_for_ever) {
  base::Scope scope;
  for (auto delay : {std::chrono::nanoseconds::max(), std::chrono::nanoseconds(24h * 365 * 200)}) {
    scope.spawn(base::sleep_task(delay));
  }
  settle();
  EXPECT_EQ(scope.size(), 2u);
}

TEST_F(Sleep, ends_in_the_order_of_time) {
  Log log;
  base::Scope scope;
  auto body = [&](std::chrono::milliseconds delay, std::string name) -> Task<void> {
    co_await base::sleep_for(delay);
    log.push_back(name);
  };
  scope.spawn(body(60ms, "c"));
  scope.spawn(body(1ms, "a"));
  scope.spawn(body(30ms, "b"));
  run(scope.join());
  EXPECT_EQ(log, (Log{"a", "b", "c"}));
}

TEST_F(AnyOf, tells_which_ended) {
  Event never, event;
  event.set();
  auto body = [&]() -> Task<void> {
    auto result = co_await any_of(when_set(never, 1), base::sleep_task(1h), when_set(event, 3));
    EXPECT_EQ(result.index(), 2u);
    EXPECT_EQ(std::get<2>(result), 3);
  };
  run(body());
  EXPECT_FALSE(never.has_waiters());
}

TEST_F(AnyOf, does_not_start_what_comes_after_one_that_ends_at_once) {
  Log log;
  auto note = [&](Mark, std::string name) -> Task<void> {
    log.push_back(name + " ran");
    co_await base::sleep_for(1h);
  };
  auto body = [&]() -> Task<void> {
    auto result = co_await any_of(note(Mark(log, "first"), "first"), at_once(7),
                                  note(Mark(log, "last"), "last"));
    EXPECT_EQ(result.index(), 1u);
    EXPECT_EQ(std::get<1>(result), 7);
    log.push_back("after");
  };
  run(body());
  // The tasks go in their order, with the awaiting expression's temporaries at the latest.
  EXPECT_EQ(log, (Log{"first ran", "first", "last", "after"}));
}

TEST_F(AnyOf, gives_the_lowest_if_several_end_in_one_turn) {
  Event event;
  for (bool lowest_first : {false, true}) {
    event.clear();
    auto body = [&]() -> Task<void> {
      Event chained;
      auto later = [&]() -> Task<int> {
        co_await event.wait();
        if (!lowest_first) co_await base::next_turn();
        co_return 1;
      };
      auto result = co_await any_of(later(), when_set(event, 2));
      EXPECT_EQ(result.index(), lowest_first ? 0u : 1u);
    };
    base::Scope scope;
    scope.spawn(body());
    event.set();
    run(scope.join());
  }
}

TEST_F(AnyOf, destroys_what_the_others_have_given) {
  Event event;
  auto value = std::make_shared<int>(5);
  auto give = [&]() -> Task<std::shared_ptr<int>> {
    co_await event.wait();
    co_return value;
  };
  auto body = [&]() -> Task<void> {
    auto result = co_await base::any_of(give(), give(), give());  // not std::any_of
    EXPECT_EQ(result.index(), 0u);
    EXPECT_EQ(value.use_count(), 2);
  };
  base::Scope scope;
  scope.spawn(body());
  event.set();
  run(scope.join());
  EXPECT_EQ(value.use_count(), 1);
}

TEST_F(AnyOf, cancels_the_others_before_it_goes_on) {
  Log log;
  Event event, never;
  auto loser = [&](std::string name) -> Task<void> {
    Mark mark(log, name);
    co_await never.wait();
    log.push_back(name + " went on");
  };
  auto body = [&]() -> Task<void> {
    Mark local(log, "local");
    co_await any_of(loser("a"), when_set(event, 1), loser("b"));
    log.push_back("on");
  };
  base::Scope scope;
  scope.spawn(body());
  event.set();
  settle();
  EXPECT_EQ(log, (Log{"a", "b", "on", "local"}));
}

TEST_F(AnyOf, survives_losers_that_wake_each_other_when_destroyed) {
  struct SetAtEnd {
    Event& event;
    ~SetAtEnd() { event.set(); }
  };
  Log log;
  Event go, one, two;
  auto loser = [&](Event& sets, Event& waits) -> Task<void> {
    SetAtEnd at_end{sets};
    co_await waits.wait();
    log.push_back("went on");
  };
  auto body = [&]() -> Task<void> {
    co_await any_of(loser(one, two), when_set(go, 1), loser(two, one));
    co_await base::next_turn();
  };
  base::Scope scope;
  scope.spawn(body());
  go.set();
  run(scope.join());
  EXPECT_EQ(log, Log());
}

TEST_F(AnyOf, nests) {
  Event event, never;
  auto inner = [&]() -> Task<int> {
    auto result = co_await any_of(when_set(never, 1), when_set(event, 2));
    co_return static_cast<int>(result.index());
  };
  auto body = [&]() -> Task<int> {
    auto result = co_await any_of(inner(), when_set(never, 3), base::sleep_task(1h));
    EXPECT_EQ(result.index(), 0u);
    co_return std::get<0>(result);
  };
  auto task = [&]() -> Task<int> {
    co_await base::next_turn();
    event.set();
    co_return 0;
  };
  auto both = [&]() -> Task<void> {
    auto [got, ignored] = co_await all_of(body(), task());
    EXPECT_EQ(got, 1);
  };
  run(both());
  EXPECT_FALSE(never.has_waiters());
}

TEST_F(AnyOf, does_not_need_results_that_can_be_made_from_nothing) {
  struct Odd {
    explicit Odd(int n) : number(n) {}
    Odd(Odd&&) = default;
    int number;
  };
  auto give = [](int n) -> Task<Odd> { co_return Odd(n); };
  auto body = [&]() -> Task<int> {
    auto result = co_await any_of(give(5), give(6));
    co_return std::get<0>(result).number;
  };
  EXPECT_EQ(run(body()), 5);
}

TEST_F(AnyOf, of_ready_tasks_takes_no_stack) {
  auto body = []() -> Task<int> {
    int total = 0;
    for (int i = 0; i < 200'000; ++i) {
      total += std::get<0>(co_await any_of(at_once(1), at_once(2)));
    }
    co_return total;
  };
  EXPECT_EQ(run(body()), 200'000);
}

TEST_F(AllOf, waits_for_all) {
  Event event;
  auto body = [&]() -> Task<int> {
    auto [a, nothing, b] = co_await all_of(at_once(1), base::sleep_task(1ms), when_set(event, 2));
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
    co_return a * 10 + b;
  };
  base::Scope scope;
  int result = 0;
  auto keep = [&]() -> Task<void> { result = co_await body(); };
  scope.spawn(keep());
  settle();
  EXPECT_EQ(result, 0);
  event.set();
  run(scope.join());
  EXPECT_EQ(result, 12);
}

TEST_F(AllOf, ends_at_once_if_all_do) {
  int result = 0;
  auto body = [&]() -> Task<void> {
    auto [a, b] = co_await all_of(at_once(1), at_once(2));
    result = a + b;
  };
  base::Scope scope;
  scope.spawn(body());
  EXPECT_EQ(result, 3);
}

TEST_F(AllOf, is_cancelled_with_some_ended_and_some_not) {
  Log log;
  Event first, never;
  auto part = [&](Event& event, std::string name) -> Task<Mark> {
    Mark mark(log, name);
    co_await event.wait();
    co_return std::move(mark);
  };
  base::Scope scope;
  auto body = [&]() -> Task<void> {
    co_await all_of(part(first, "ended"), part(never, "waiting"));
    log.push_back("went on");
  };
  scope.spawn(body());
  first.set();
  settle();
  EXPECT_EQ(log, Log());
  scope.cancel();
  EXPECT_EQ(log, (Log{"ended", "waiting"}));
}

TEST_F(AllOf, takes_any_number) {
  Event event;
  int count = 0;
  auto part = [&](bool wait) -> Task<void> {
    if (wait) co_await event.wait();
    ++count;
  };
  auto make = [&](int n, bool wait) {
    std::vector<Task<void>> tasks;
    for (int i = 0; i < n; ++i) tasks.push_back(part(wait && i % 2 == 0));
    return tasks;
  };
  run(all_of(make(0, false)));
  run(all_of(make(100, false)));
  EXPECT_EQ(count, 100);

  base::Scope scope;
  scope.spawn(all_of(make(1000, true)));
  EXPECT_EQ(count, 600);
  event.set();
  run(scope.join());
  EXPECT_EQ(count, 1100);

  event.clear();
  scope.spawn(all_of(make(1000, true)));
  scope.cancel();
  event.set();
  settle();
  EXPECT_EQ(count, 1600);
}

TEST_F(WithTimeout, gives_the_result_or_nothing) {
  Event never;
  EXPECT_EQ(run(base::with_timeout(at_once(5), 0ns)), 5);
  EXPECT_EQ(run(base::with_timeout(when_set(never, 5), 5ms)), std::nullopt);
  EXPECT_FALSE(never.has_waiters());
  EXPECT_TRUE(run(base::with_timeout(base::sleep_task(1ms), 1h)));
  EXPECT_FALSE(run(base::with_timeout(base::sleep_task(1h), 1ms)));
}

TEST_F(WithTimeout, prefers_the_result_when_both_are_due) {
  auto body = []() -> Task<std::optional<std::monostate>> {
    auto task = base::with_timeout(base::sleep_task(5ms), 5ms);
    usleep(20'000);
    co_return co_await std::move(task);
  };
  EXPECT_TRUE(run(body()));
}

}  // namespace
