#include "base/task.h"

#include <algorithm>
#include <cstdint>
#include <memory>

#include "base/result.h"
#include "base/sync.h"
#include "tests/base/loop_test.h"

namespace {

using base::Task;
using tests::Ignored;
using tests::Log;
using tests::Mark;
using Tasks = tests::LoopTest;

// Where the stack is, over many calls.
class StackDepth {
 public:
  [[gnu::noinline]] void note() {
    const auto here = reinterpret_cast<uintptr_t>(__builtin_frame_address(0));
    lowest_ = std::min(lowest_, here);
    highest_ = std::max(highest_, here);
  }
  size_t used() const { return highest_ - lowest_; }

 private:
  uintptr_t lowest_ = UINTPTR_MAX;
  uintptr_t highest_ = 0;
};

constexpr size_t kLittleStack = 16 * 1024;

Task<int> number(int n) { co_return n; }
Task<int> sum(int a, int b) { co_return co_await number(a) + co_await number(b); }

TEST_F(Tasks, give_results) {
  EXPECT_EQ(run(number(5)), 5);
  EXPECT_EQ(run(sum(2, 3)), 5);
  run([]() -> Task<void> { co_return; }());
  auto box = run([]() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); }());
  EXPECT_EQ(*box, 7);
}

// What a function could return, a task can: by implicit conversion, not by explicit.
template <typename T, typename U>
concept Returns = requires(base::internal::Promise<T> promise, U value) {
  promise.return_value(std::move(value));
};
static_assert(Returns<std::string, const char*>);
static_assert(Returns<base::Result<std::string>, std::unexpected<base::Error>>);
static_assert(Returns<std::optional<int>, std::nullopt_t>);
static_assert(!Returns<std::vector<int>, int>);
static_assert(!Returns<base::Error, std::string>);

TEST_F(Tasks, start_when_they_are_awaited) {
  bool ran = false;
  auto body = [&ran]() -> Task<void> {
    ran = true;
    co_return;
  };
  {
    Task<void> never = body();
  }
  EXPECT_FALSE(ran);
  Task<void> task = body();
  EXPECT_FALSE(task.done());
  EXPECT_FALSE(ran);
  run(std::move(task));
  EXPECT_TRUE(ran);
}

TEST_F(Tasks, destroy_what_they_hold_from_the_inside_out) {
  Log log;
  base::Event never;
  auto child = [&](Mark) -> Task<void> {
    Mark local(log, "child's local");
    co_await never.wait();
    log.push_back("went on");
  };
  auto parent = [&](Mark) -> Task<void> {
    Mark first(log, "parent's first");
    Mark second(log, "parent's second");
    co_await child(Mark(log, "child's parameter"));
    log.push_back("went on");
  };
  {
    Ignored ignored;
    Task<void> task = parent(Mark(log, "parent's parameter"));
    task.start(ignored);
    EXPECT_TRUE(never.has_waiters());
    EXPECT_EQ(log, Log());
  }
  EXPECT_FALSE(never.has_waiters());
  EXPECT_EQ(log, (Log{"child's local", "child's parameter", "parent's second", "parent's first",
                      "parent's parameter"}));
  never.set();
  settle();
  EXPECT_EQ(log.size(), 5u);
}

TEST_F(Tasks, that_never_started_destroy_their_parameters) {
  Log log;
  auto body = [](Mark) -> Task<void> { co_return; };
  {
    Task<void> task = body(Mark(log, "parameter"));
    EXPECT_EQ(log, Log());
  }
  EXPECT_EQ(log, Log{"parameter"});
}

TEST_F(Tasks, are_cancelled_by_assignment) {
  Log log;
  base::Event event;
  auto body = [&](std::string name) -> Task<void> {
    Mark mark(log, name);
    co_await event.wait();
    log.push_back(name + " went on");
  };
  Ignored ignored;
  Task<void> task = body("first");
  task.start(ignored);
  task = body("second");
  EXPECT_EQ(log, Log{"first"});
  task.start(ignored);
  Task<void> other = std::move(task);
  event.set();
  settle();
  EXPECT_EQ(log, (Log{"first", "second went on", "second"}));
  EXPECT_TRUE(other.done());
  EXPECT_FALSE(task.done());  // NOLINT(bugprone-use-after-move): moved from, so empty
  task.cancel();
}

TEST_F(Tasks, may_be_destroyed_by_who_is_told_of_their_end) {
  struct Owner final : base::internal::Completion {
    void task_done() override { task.cancel(); }
    Task<void> task;
  };
  Log log;
  base::Event event;
  auto body = [&](Mark, bool wait) -> Task<void> {
    if (wait) co_await event.wait();
    log.push_back("ended");
  };
  for (bool wait : {false, true}) {
    log.clear();
    Owner owner;
    owner.task = body(Mark(log, "gone"), wait);
    owner.task.start(owner);
    event.set();
    settle();
    EXPECT_EQ(log, (Log{"ended", "gone"}));
  }
}

TEST_F(Tasks, take_no_stack_when_they_end_at_once) {
  StackDepth depth;
  auto child = [&depth]() -> Task<int> {
    depth.note();
    co_return 1;
  };
  auto parent = [&]() -> Task<int> {
    int total = 0;
    for (int i = 0; i < 1'000'000; ++i) total += co_await child();
    co_return total;
  };
  EXPECT_EQ(run(parent()), 1'000'000);
  EXPECT_LT(depth.used(), kLittleStack);
}

Task<int> nested(int levels, StackDepth& depth) {
  depth.note();
  if (levels == 0) co_return 0;
  const int below = co_await nested(levels - 1, depth);
  depth.note();
  co_return below + 1;
}

TEST_F(Tasks, take_no_stack_when_they_are_nested) {
  StackDepth depth;
  EXPECT_EQ(run(nested(100'000, depth)), 100'000);
  EXPECT_LT(depth.used(), kLittleStack);
}

Task<int> nested_wait(int levels, base::Event& event) {
  if (levels == 0) {
    co_await event.wait();
    co_return 0;
  }
  co_return 1 + co_await nested_wait(levels - 1, event);
}

TEST_F(Tasks, go_on_and_are_cancelled_at_any_depth) {
  base::Event event;
  Ignored ignored;
  {
    auto task = nested_wait(1000, event);
    task.start(ignored);
    EXPECT_TRUE(event.has_waiters());
  }
  EXPECT_FALSE(event.has_waiters());
  auto task = nested_wait(1000, event);
  task.start(ignored);
  event.set();
  settle();
  ASSERT_TRUE(task.done());
  EXPECT_EQ(task.take(), 1000);
}

}  // namespace
