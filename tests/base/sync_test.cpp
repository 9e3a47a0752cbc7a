#include "base/sync.h"

#include <memory>

#include "base/line.h"
#include "base/scope.h"
#include "tests/base/loop_test.h"

namespace {

using base::Event;
using base::OneShot;
using base::Task;
using tests::Log;
using Events = tests::LoopTest;
using OneShots = tests::LoopTest;

Task<void> wait_and_note(Event& event, Log& log, std::string name) {
  co_await event.wait();
  log.push_back(name);
}

TEST_F(Events, let_all_go_on_in_their_order) {
  Log log;
  Event event;
  base::Scope scope;
  for (const char* name : {"a", "b", "c"}) scope.spawn(wait_and_note(event, log, name));
  settle();
  EXPECT_EQ(log, Log());
  EXPECT_TRUE(event.has_waiters());
  event.set();
  event.set();
  EXPECT_EQ(log, Log());  // never in place
  EXPECT_FALSE(event.has_waiters());
  settle();
  EXPECT_EQ(log, (Log{"a", "b", "c"}));
}

TEST_F(Events, stay_set) {
  Log log;
  Event event;
  EXPECT_FALSE(event.is_set());
  event.set();
  EXPECT_TRUE(event.is_set());
  base::Scope scope;
  scope.spawn(wait_and_note(event, log, "at once"));
  EXPECT_EQ(log, Log{"at once"});
  event.clear();
  scope.spawn(wait_and_note(event, log, "later"));
  settle();
  EXPECT_EQ(log, Log{"at once"});
  event.set();
  event.clear();  // who waited at the time of set() goes on all the same
  settle();
  EXPECT_EQ(log, (Log{"at once", "later"}));
}

TEST_F(Events, are_ready_a_million_times) {
  Event event;
  event.set();
  int count = 0;
  auto loop = [&]() -> Task<void> {
    for (; count < 1'000'000; ++count) co_await event.wait();
  };
  run(loop());
  EXPECT_EQ(count, 1'000'000);
}

TEST_F(Events, forget_a_cancelled_waiter) {
  Log log;
  Event event;
  base::Scope first, second, third;
  first.spawn(wait_and_note(event, log, "first"));
  second.spawn(wait_and_note(event, log, "second"));
  third.spawn(wait_and_note(event, log, "third"));
  second.cancel();  // while it waits
  event.set();
  first.cancel();  // when it is to go on
  settle();
  EXPECT_EQ(log, Log{"third"});
}

TEST_F(Events, destroyed_before_their_waiters_leave_them_waiting) {
  Log log;
  base::Scope scope;
  {
    Event event;
    scope.spawn(wait_and_note(event, log, "waiting"));
  }
  auto event = std::make_unique<Event>();
  scope.spawn(wait_and_note(*event, log, "going on"));
  event->set();
  event.reset();
  settle();
  EXPECT_EQ(log, Log{"going on"});
  EXPECT_EQ(scope.size(), 1u);
}

TEST_F(OneShots, give_their_value_to_all) {
  OneShot<std::unique_ptr<int>> value;
  int total = 0;
  auto add = [&]() -> Task<void> { total += *co_await value.wait(); };
  base::Scope scope;
  scope.spawn(add());
  scope.spawn(add());
  EXPECT_FALSE(value.is_set());
  value.set(std::make_unique<int>(5));
  value.set(std::make_unique<int>(100));
  EXPECT_TRUE(value.is_set());
  EXPECT_EQ(total, 0);
  settle();
  EXPECT_EQ(total, 10);
  run(add());
  EXPECT_EQ(total, 15);
  EXPECT_EQ(*value.get(), 5);
}

using Lines = tests::LoopTest;

Task<void> take_turn(base::Line& line, Log& log, std::string name, Event& leave) {
  base::Line::Place place(line);
  co_await place.turn();
  log.push_back(name);
  co_await leave.wait();
}

TEST_F(Lines, give_each_its_turn_in_the_order_of_coming) {
  Log log;
  base::Line line;
  Event leave_first;
  Event leave;
  leave.set();
  base::Scope scope;
  scope.spawn(take_turn(line, log, "a", leave_first));
  EXPECT_EQ(log, Log{"a"});  // at once
  for (const char* name : {"b", "c"}) scope.spawn(take_turn(line, log, name, leave));
  settle();
  EXPECT_EQ(log, Log{"a"});
  leave_first.set();
  settle();
  EXPECT_EQ(log, (Log{"a", "b", "c"}));
  scope.spawn(take_turn(line, log, "d", leave));
  EXPECT_EQ(log, (Log{"a", "b", "c", "d"}));
}

TEST_F(Lines, close_up_when_someone_leaves) {
  Log log;
  base::Line line;
  Event leave;
  base::Scope first;
  base::Scope second;
  base::Scope third;
  first.spawn(take_turn(line, log, "a", leave));
  second.spawn(take_turn(line, log, "b", leave));
  third.spawn(take_turn(line, log, "c", leave));
  second.cancel();
  settle();
  EXPECT_EQ(log, Log{"a"});
  first.cancel();
  settle();
  EXPECT_EQ(log, (Log{"a", "c"}));
}

}  // namespace
