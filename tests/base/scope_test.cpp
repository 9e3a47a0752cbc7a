#include "base/scope.h"

#include <memory>

#include "tests/base/loop_test.h"

namespace {

using base::Event;
using base::Scope;
using base::Task;
using tests::Log;
using tests::Mark;
using namespace std::chrono_literals;
using Scopes = tests::LoopTest;

Task<void> wait_for(Event& event, Mark, int* went_on = nullptr) {
  co_await event.wait();
  if (went_on != nullptr) ++*went_on;
}

TEST_F(Scopes, start_their_tasks_at_once) {
  Log log;
  Scope scope;
  auto body = [&]() -> Task<void> {
    log.push_back("started");
    co_await base::next_turn();
    log.push_back("ended");
  };
  scope.spawn(body());
  EXPECT_EQ(log, Log{"started"});
  EXPECT_EQ(scope.size(), 1u);
  settle();
  EXPECT_EQ(log, (Log{"started", "ended"}));
  EXPECT_EQ(scope.size(), 0u);
}

TEST_F(Scopes, forget_a_task_when_it_ends) {
  Log log;
  Scope scope;
  scope.spawn([](Mark) -> Task<void> { co_return; }(Mark(log, "ended at once")));
  EXPECT_EQ(log, Log{"ended at once"});
  EXPECT_EQ(scope.size(), 0u);

  Event event;
  scope.spawn(wait_for(event, Mark(log, "ended later")));
  event.set();
  settle();
  EXPECT_EQ(log, (Log{"ended at once", "ended later"}));
  EXPECT_EQ(scope.size(), 0u);
}

TEST_F(Scopes, cancel_the_oldest_first) {
  Log log;
  Event never;
  {
    Scope scope;
    for (const char* name : {"a", "b", "c"}) scope.spawn(wait_for(never, Mark(log, name)));
    scope.cancel();
    EXPECT_EQ(log, (Log{"a", "b", "c"}));
    EXPECT_EQ(scope.size(), 0u);
    EXPECT_FALSE(never.has_waiters());
    scope.cancel();
    scope.spawn(wait_for(never, Mark(log, "d")));  // a cancelled scope can be used again
  }
  EXPECT_EQ(log, (Log{"a", "b", "c", "d"}));
}

TEST_F(Scopes, cancel_tasks_that_are_about_to_go_on) {
  Log log;
  Event event;
  int went_on = 0;
  Scope scope;
  for (int i = 0; i < 5; ++i) scope.spawn(wait_for(event, Mark(log, "gone"), &went_on));
  event.set();
  scope.cancel();
  settle();
  EXPECT_EQ(went_on, 0);
  EXPECT_EQ(log.size(), 5u);
}

TEST_F(Scopes, are_cancelled_by_a_task_of_another_between_the_turns_of_theirs) {
  Log log;
  Event event;
  int went_on = 0;
  Scope victims, killers;
  auto kill = [&]() -> Task<void> {
    co_await event.wait();
    victims.cancel();
  };
  victims.spawn(wait_for(event, Mark(log, "before"), &went_on));
  killers.spawn(kill());
  victims.spawn(wait_for(event, Mark(log, "after"), &went_on));
  event.set();
  settle();
  EXPECT_EQ(went_on, 1);
  EXPECT_EQ(log, (Log{"before", "after"}));
}

TEST_F(Scopes, take_tasks_from_their_tasks) {
  int ended = 0;
  Scope scope;
  struct Tree {
    Scope& scope;
    int& ended;
    bool wait;
    Task<void> grow(int levels) {
      if (wait) co_await base::next_turn();
      if (levels > 0) {
        scope.spawn(grow(levels - 1));
        scope.spawn(grow(levels - 1));
      }
      if (wait) co_await base::next_turn();
      ++ended;
    }
  };
  for (bool wait : {false, true}) {
    ended = 0;
    Tree tree{scope, ended, wait};
    scope.spawn(tree.grow(9));
    EXPECT_EQ(ended, wait ? 0 : 1023);
    run(scope.join());
    EXPECT_EQ(ended, 1023);
    EXPECT_EQ(scope.size(), 0u);
  }
}

TEST_F(Scopes, are_joined_when_the_last_task_has_ended) {
  Event first, second;
  Log log;
  Scope scope, joiners;
  run(scope.join());  // nothing to wait for
  auto join = [&](std::string name) -> Task<void> {
    co_await scope.join();
    log.push_back(name);
  };
  auto chain = [&]() -> Task<void> {
    co_await first.wait();
    scope.spawn(wait_for(second, Mark(log, "second task")));
  };
  scope.spawn(chain());
  joiners.spawn(join("one"));
  joiners.spawn(join("two"));
  first.set();
  settle();
  EXPECT_EQ(log, Log());
  EXPECT_EQ(scope.size(), 1u);
  second.set();
  settle();
  EXPECT_EQ(log, (Log{"second task", "one", "two"}));
}

TEST_F(Scopes, that_get_a_task_before_the_joiner_goes_on_keep_it_waiting) {
  Event first, second;
  Log log;
  Scope scope, others;
  auto join = [&]() -> Task<void> {
    co_await scope.join();
    log.push_back("joined");
  };
  auto refill = [&]() -> Task<void> {
    co_await first.wait();
    EXPECT_EQ(scope.size(), 0u);
    scope.spawn(wait_for(second, Mark(log, "refilled")));
  };
  scope.spawn(wait_for(first, Mark(log, "first")));
  others.spawn(join());
  others.spawn(refill());
  first.set();  // wakes the first task, then refill, and through the former the joiner
  settle();
  EXPECT_EQ(log, Log{"first"});
  second.set();
  settle();
  EXPECT_EQ(log, (Log{"first", "refilled", "joined"}));
}

TEST_F(Scopes, are_joined_when_cancelled) {
  Event never;
  Log log;
  Scope scope, joiners;
  auto join = [&]() -> Task<void> {
    co_await scope.join();
    log.push_back("joined");
  };
  scope.spawn(wait_for(never, Mark(log, "cancelled")));
  joiners.spawn(join());
  scope.cancel();
  settle();
  EXPECT_EQ(log, (Log{"cancelled", "joined"}));
}

TEST_F(Scopes, may_be_destroyed_by_their_joiner) {
  auto scope = std::make_unique<Scope>();
  Event event;
  Log log;
  scope->spawn(wait_for(event, Mark(log, "task")));
  auto body = [&]() -> Task<void> {
    co_await scope->join();
    scope.reset();
  };
  Scope outer;
  outer.spawn(body());
  event.set();
  run(outer.join());
  EXPECT_EQ(scope, nullptr);
}

TEST_F(Scopes, destroyed_in_the_turn_in_which_their_tasks_end) {
  Event event;
  Log log;
  auto scope = std::make_unique<Scope>();
  Scope outer;
  auto destroy = [&]() -> Task<void> {
    co_await event.wait();
    scope.reset();
  };
  scope->spawn(wait_for(event, Mark(log, "ended")));
  outer.spawn(destroy());
  scope->spawn(wait_for(event, Mark(log, "cancelled")));
  event.set();
  run(outer.join());
  EXPECT_EQ(log, (Log{"ended", "cancelled"}));
}

TEST_F(Scopes, nest) {
  Event never;
  Log log;
  auto body = [&](std::string name, int levels, auto self) -> Task<void> {
    Mark mark(log, name);
    Scope inner;
    if (levels > 0) inner.spawn(self(name + "1", levels - 1, self));
    if (levels > 0) inner.spawn(self(name + "2", levels - 1, self));
    co_await never.wait();
  };
  {
    Scope scope;
    scope.spawn(body("a", 1, body));
    EXPECT_EQ(log, Log());
  }
  EXPECT_EQ(log, (Log{"a1", "a2", "a"}));
}

// An object that only its own task keeps alive: it goes with the task's parameters, after the task
// has ended, and takes with it the scope that the task ran in.
struct SelfOwner {
  SelfOwner(Log& l) : log(l) {}
  ~SelfOwner() { log.push_back("owner"); }
  Log& log;
  Event event;
  Scope scope;
};

TEST_F(Scopes, may_be_owned_by_their_task) {
  Log log;
  auto body = [](std::shared_ptr<SelfOwner> owner, bool wait) -> Task<void> {
    if (wait) co_await owner->event.wait();
  };
  for (bool wait : {false, true}) {
    log.clear();
    auto owner = std::make_shared<SelfOwner>(log);
    owner->scope.spawn(wait_for(owner->event, Mark(log, "other")));
    Scope* scope = &owner->scope;
    Event* event = &owner->event;
    if (wait) {
      scope->spawn(body(std::move(owner), wait));
      EXPECT_EQ(log, Log());
      event->set();
      settle();
    } else {
      scope->spawn(body(std::move(owner), wait));
    }
    EXPECT_EQ(log, (wait ? Log{"other", "owner"} : Log{"owner", "other"}));
  }
}

TEST_F(Scopes, take_tasks_from_destructors_of_cancelled_ones) {
  struct SpawnAtEnd {
    Scope& scope;
    Event& never;
    Log& log;
    ~SpawnAtEnd() { scope.spawn(wait_for(never, Mark(log, "spawned late"))); }
  };
  Event never;
  Log log;
  auto body = [&](Scope& scope) -> Task<void> {
    SpawnAtEnd at_end{scope, never, log};
    co_await never.wait();
  };
  {
    Scope scope;
    scope.spawn(body(scope));
    scope.cancel();
    EXPECT_EQ(scope.size(), 1u);
    EXPECT_EQ(log, Log());
    scope.spawn(body(scope));
  }
  EXPECT_EQ(log, (Log{"spawned late", "spawned late"}));
  EXPECT_FALSE(never.has_waiters());
}

TEST_F(Scopes, run_and_forget_many_tasks) {
  Scope scope;
  int ended = 0;
  auto body = [&](int i) -> Task<void> {
    if (i % 3 == 1) co_await base::next_turn();
    if (i % 3 == 2) co_await base::sleep_for(1ms);
    ++ended;
  };
  for (int i = 0; i < 30'000; ++i) scope.spawn(body(i));
  run(scope.join());
  EXPECT_EQ(ended, 30'000);
}

TEST(ScopeWithoutLoop, can_be_destroyed) { Scope scope; }

}  // namespace
