#include "ioswitchboard/output_log.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "base/scope.h"
#include "tests/base/loop_test.h"
#include "tests/ioswitchboard/decode.h"

namespace ioswitchboard {
namespace {

using base::Task;
using namespace std::chrono_literals;

constexpr auto kStall = 200ms;

class OutputLogTest : public tests::LoopTest {
 protected:
  static constexpr OutputLog::Limits kLimits{.backlog = 1000, .stall_timeout = kStall};
  static constexpr OutputLog::Limits kSession{
      .backlog = 1000, .stall_timeout = kStall, .sole_reader_may_pause = true};

  static void append(OutputLog& log, std::string_view data) {
    log.append(OutputRecord(OutputType::kStdout, data));
  }
  static void fill(OutputLog& log) {
    while (!log.full()) append(log, std::string(100, 'x'));
  }

  // All that the reader can have now.
  static std::string take(OutputReader& reader) {
    std::string data;
    while (true) {
      const std::string_view chunks = reader.next();
      if (chunks.empty()) return data;
      for (const auto& io : ioswitchboard_test::decode_chunks(Encoding::kProtobuf, chunks)) {
        data += io.data().data();
      }
      reader.taken();
    }
  }

  // Whether there is room now or within `limit`.
  bool room_within(OutputLog& log, std::chrono::nanoseconds limit) {
    return run(base::with_timeout(log.room(), limit)).has_value();
  }
};

TEST_F(OutputLogTest, GivesEveryReaderWhatComesAfterItsAttach) {
  OutputLog log(kLimits);
  EXPECT_TRUE(log.unread());
  append(log, "lost ");
  EXPECT_FALSE(log.first_reader().is_set());
  OutputReader first(log, Encoding::kProtobuf);
  EXPECT_FALSE(log.unread());
  EXPECT_TRUE(log.first_reader().is_set());
  EXPECT_EQ(take(first), "");
  append(log, "a");
  OutputReader second(log, Encoding::kProtobuf);
  append(log, "b");
  EXPECT_EQ(take(first), "ab");
  EXPECT_EQ(take(second), "b");
  append(log, "c");
  EXPECT_EQ(take(second), "c");
  EXPECT_EQ(take(first), "c");
}

TEST_F(OutputLogTest, GivesAReaderItsOwnRecordsFirst) {
  OutputLog log(kLimits);
  std::deque<OutputRecord> before;
  before.emplace_back(OutputType::kStdout, "1");
  before.emplace_back(OutputType::kStdout, std::string(50000, '2'));
  OutputReader reader(log, Encoding::kProtobuf, std::move(before));
  append(log, "3");
  EXPECT_EQ(take(reader), "1" + std::string(50000, '2') + "3");
}

TEST_F(OutputLogTest, GivesSmallRecordsTogetherAndLargeOnesAlone) {
  OutputLog log({});
  OutputReader reader(log, Encoding::kJson);
  for (int i = 0; i < 10; ++i) append(log, "small");
  append(log, std::string(60000, 'x'));
  append(log, "small");
  std::vector<size_t> counts;
  while (true) {
    const std::string_view chunks = reader.next();
    if (chunks.empty()) break;
    counts.push_back(ioswitchboard_test::decode_chunks(Encoding::kJson, chunks).size());
    reader.taken();
  }
  EXPECT_EQ(counts, (std::vector<size_t>{10, 1, 1}));
}

TEST_F(OutputLogTest, WakesReaders) {
  OutputLog log(kLimits);
  OutputReader reader(log, Encoding::kProtobuf);
  const auto wait = [](OutputReader& r) -> Task<void> { co_await r.changed(); };
  EXPECT_FALSE(run(base::with_timeout(wait(reader), 20ms)).has_value());
  base::Scope scope;
  const auto later = [](OutputLog& l) -> Task<void> {
    co_await base::sleep_for(10ms);
    append(l, "x");
    co_await base::sleep_for(10ms);
    l.finish();
  };
  scope.spawn(later(log));
  run(wait(reader));
  EXPECT_EQ(take(reader), "x");
  EXPECT_FALSE(reader.ended());
  run(wait(reader));
  EXPECT_TRUE(reader.ended());
}

TEST_F(OutputLogTest, IsFullWhenOneReaderIsFarBehind) {
  OutputLog log(kLimits);
  auto slow = std::make_unique<OutputReader>(log, Encoding::kProtobuf);
  OutputReader quick(log, Encoding::kProtobuf);
  fill(log);
  take(quick);
  EXPECT_TRUE(log.full());
  EXPECT_FALSE(room_within(log, kStall / 4));
  slow.reset();
  EXPECT_FALSE(log.full());
  EXPECT_TRUE(room_within(log, kStall / 4));
}

TEST_F(OutputLogTest, CutsOffAReaderThatHoldsUpOthers) {
  for (const OutputLog::Limits& limits : {kLimits, kSession}) {
    OutputLog log(limits);
    OutputReader slow(log, Encoding::kProtobuf);
    OutputReader quick(log, Encoding::kProtobuf);
    fill(log);
    take(quick);
    EXPECT_FALSE(room_within(log, kStall / 2));
    EXPECT_FALSE(slow.cut_off().is_set());
    EXPECT_FALSE(room_within(log, kStall));  // it has not detached yet
    EXPECT_TRUE(slow.cut_off().is_set());
    EXPECT_FALSE(quick.cut_off().is_set());
  }
}

TEST_F(OutputLogTest, CutsOffTheOnlyReaderOfWhatIsNoSession) {
  OutputLog log(kLimits);
  OutputReader reader(log, Encoding::kProtobuf);
  fill(log);
  EXPECT_FALSE(room_within(log, 2 * kStall));
  EXPECT_TRUE(reader.cut_off().is_set());
}

TEST_F(OutputLogTest, LetsTheOnlyReaderOfASessionPause) {
  OutputLog log(kSession);
  OutputReader reader(log, Encoding::kProtobuf);
  fill(log);
  EXPECT_FALSE(room_within(log, 3 * kStall));
  EXPECT_FALSE(reader.cut_off().is_set());
  // Only from now on it is in somebody's way.
  OutputReader other(log, Encoding::kProtobuf);
  EXPECT_FALSE(room_within(log, kStall / 2));
  EXPECT_FALSE(reader.cut_off().is_set());
  take(reader);
  EXPECT_TRUE(room_within(log, kStall / 2));
}

TEST_F(OutputLogTest, LeavesAReaderThatTakesSomethingNowAndThen) {
  OutputLog log(kLimits);
  OutputReader slow(log, Encoding::kProtobuf);
  OutputReader quick(log, Encoding::kProtobuf);
  for (int i = 0; i < 40; ++i) append(log, std::string(20000, 'x'));
  take(quick);
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(room_within(log, kStall / 2));
    ASSERT_FALSE(slow.next().empty());
    slow.taken();
  }
  EXPECT_FALSE(slow.cut_off().is_set());
}

TEST_F(OutputLogTest, EndsWhenAllReadersHaveDetached) {
  OutputLog log(kSession);
  auto reader = std::make_unique<OutputReader>(log, Encoding::kProtobuf);
  append(log, "end");
  log.finish();
  EXPECT_FALSE(reader->ended());
  EXPECT_EQ(take(*reader), "end");
  EXPECT_TRUE(reader->ended());
  EXPECT_FALSE(run(base::with_timeout(log.drained(), kStall / 2)).has_value());
  reader.reset();
  EXPECT_TRUE(run(base::with_timeout(log.drained(), kStall / 2)).has_value());
}

TEST_F(OutputLogTest, CutsOffAnyReaderThatTakesNothingAtTheEnd) {
  OutputLog log(kSession);
  OutputReader reader(log, Encoding::kProtobuf);
  append(log, "end");
  log.finish();
  EXPECT_FALSE(run(base::with_timeout(log.drained(), 2 * kStall)).has_value());
  EXPECT_TRUE(reader.cut_off().is_set());
}

}  // namespace
}  // namespace ioswitchboard
