#include "http/turns.h"

#include <algorithm>

#include "http/body.h"
#include "tests/http/support.h"

namespace {

using namespace http_test;

class Fairness : public LoopTest {};

// Never has to wait.
class EndlessBody final : public http::BodyReader {
 public:
  base::Result<ssize_t> try_read(std::span<char> buffer) override {
    std::ranges::fill(buffer, 'x');
    return static_cast<ssize_t>(buffer.size());
  }
  Task<void> readable() override { co_return; }
};

TEST_F(Fairness, a_body_that_is_always_ready_leaves_others_their_turn) {
  run([&]() -> Task<void> {
    int turns = 0;
    const auto others = [&]() -> Task<void> {
      while (true) {
        ++turns;
        co_await base::sleep_for(std::chrono::nanoseconds(0));
      }
    };
    const auto read = [&]() -> Task<void> {
      EndlessBody body;
      std::string buffer(1 << 16, '\0');
      for (int i = 0; i < 1000; ++i) EXPECT_EQ(co_await body.read_some(buffer), buffer.size());
    };
    co_await base::any_of(read(), others());
    EXPECT_GT(turns, 50);
    EXPECT_LT(turns, 500);
  }());
}

TEST_F(Fairness, counts_bytes) {
  run([&]() -> Task<void> {
    http::Turns turns;
    EXPECT_FALSE(turns.due());
    turns.moved(1000);
    EXPECT_FALSE(turns.due());
    turns.moved(SIZE_MAX);
    EXPECT_TRUE(turns.due());
    co_await turns.yield();
    EXPECT_FALSE(turns.due());
  }());
}

}  // namespace
