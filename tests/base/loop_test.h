// For tests of what runs on an event loop.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/combine.h"
#include "base/event_loop.h"
#include "base/task.h"

namespace tests {

using namespace std::chrono_literals;

using Log = std::vector<std::string>;

// Notes its own destruction.
class Mark {
 public:
  Mark(Log& log, std::string name) : log_(&log), name_(std::move(name)) {}
  Mark(Mark&& other) noexcept
      : log_(std::exchange(other.log_, nullptr)), name_(std::move(other.name_)) {}
  ~Mark() {
    if (log_ != nullptr) log_->push_back(name_);
  }

 private:
  Log* log_;
  std::string name_;
};

// For a task that is started directly and whose end nobody is told of.
struct Ignored final : base::internal::Completion {
  void task_done() override {}
};

// A test with a loop of its own. What a test makes is destroyed before the loop is.
class LoopTest : public testing::Test {
 protected:
  static constexpr auto kWatchdog = 60s;

  // Runs the loop until `task` has ended and gives its result. A task that does not end within the
  // watchdog's time ends the process: what it waits for cannot be trusted to go away.
  template <typename T>
  T run(base::Task<T> task) {
    std::optional<base::internal::NonVoid<T>> result;
    base::Task<void> main = drive(std::move(task), result);
    Ignored ignored;
    main.start(ignored);
    loop_.run();
    if constexpr (!std::is_void_v<T>) return *std::move(result);
  }

  // Waits until the condition holds.
  void await(std::function<bool()> condition) {
    run([](std::function<bool()> holds) -> base::Task<void> {
      while (!holds()) co_await base::sleep_for(std::chrono::milliseconds(2));
    }(std::move(condition)));
  }

  // Lets the loop turn as often as it takes for whatever is due to happen.
  void settle() { run(base::sleep_task(15ms)); }

  base::EventLoop loop_;

 private:
  template <typename T, typename R>
  base::Task<void> drive(base::Task<T> task, std::optional<R>& result) {
    result = co_await base::with_timeout(std::move(task), kWatchdog);
    if (!result) {
      std::fprintf(stderr, "The task did not end in time.\n");
      std::abort();
    }
    loop_.stop();
  }
};

}  // namespace tests
