#include "agent/logging_level.h"

#include <gflags/gflags.h>
#include <glog/logging.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>

#include "tests/base/loop_test.h"

namespace {

using namespace std::chrono_literals;

class LoggingLevelTest : public tests::LoopTest {
 protected:
  // The level goes back by itself; when, is not looked at.
  void await_level(uint32_t wanted) {
    run([](const agent::LoggingLevel& level, uint32_t value) -> base::Task<void> {
      while (level.get() != value) co_await base::sleep_for(1ms);
    }(level_, wanted));
  }

  const google::FlagSaver restore_;
  agent::LoggingLevel level_;
};

TEST_F(LoggingLevelTest, GoesBackToTheInitialLevel) {
  const uint32_t initial = level_.get();
  level_.set(initial + 5, 20ms);
  EXPECT_EQ(initial + 5, level_.get());
  EXPECT_EQ(static_cast<int>(initial) + 5, FLAGS_v);
  EXPECT_TRUE(VLOG_IS_ON(static_cast<int>(initial) + 5));
  await_level(initial);
}

TEST_F(LoggingLevelTest, ALaterCallTakesThePlaceOfAnEarlierOne) {
  const uint32_t initial = level_.get();
  level_.set(initial + 1, 1ms);
  level_.set(initial + 2, 1h);
  run(base::sleep_task(20ms));
  EXPECT_EQ(initial + 2, level_.get());
  // Back to the initial level, not to that of the call before.
  level_.set(initial + 3, 1ms);
  await_level(initial);
}

TEST_F(LoggingLevelTest, DurationsOfZeroAndLess) {
  const uint32_t initial = level_.get();
  for (const auto duration : {0ns, -1ns, std::chrono::nanoseconds::min()}) {
    level_.set(initial + 4, duration);
    EXPECT_EQ(initial + 4, level_.get());
    await_level(initial);
  }
  level_.set(initial, std::chrono::nanoseconds::max());
  settle();
}

}  // namespace
