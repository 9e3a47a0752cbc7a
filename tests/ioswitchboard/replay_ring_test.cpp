#include "ioswitchboard/replay_ring.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/ioswitchboard/decode.h"

namespace ioswitchboard {
namespace {

using ioswitchboard_test::decode_chunks;
using ioswitchboard_test::ProcessIO;

constexpr OutputType kOut = OutputType::kStdout;
constexpr OutputType kErr = OutputType::kStderr;

// "o:abc e:def ": the records' types and data.
std::string content(const ReplayRing& ring) {
  std::string text;
  for (OutputRecord& record : ring.records()) {
    for (const ProcessIO& io :
         decode_chunks(Encoding::kProtobuf, record.frame(Encoding::kProtobuf))) {
      text += io.data().type() == ProcessIO::Data::STDOUT ? "o:" : "e:";
      text += io.data().data() + " ";
    }
  }
  return text;
}

TEST(ReplayRing, OfNoSizeHoldsNothing) {
  ReplayRing ring(0);
  ring.append(kOut, "abc");
  EXPECT_EQ(content(ring), "");
}

TEST(ReplayRing, HoldsTheLastBytesInOrder) {
  ReplayRing ring(10);
  EXPECT_EQ(content(ring), "");
  ring.append(kOut, "");
  EXPECT_EQ(content(ring), "");
  ring.append(kOut, "abc");
  ring.append(kOut, "de");
  EXPECT_EQ(content(ring), "o:abcde ");
  ring.append(kErr, "fgh");
  EXPECT_EQ(content(ring), "o:abcde e:fgh ");
  ring.append(kOut, "ijkl");  // two of it beyond the end of the ring's memory
  EXPECT_EQ(content(ring), "o:cde e:fgh o:ij o:kl ");
  ring.append(kOut, "mnopq");
  EXPECT_EQ(content(ring), "e:h o:ij o:klmnopq ");
  ring.append(kErr, "0123456789ABC");
  EXPECT_EQ(content(ring).size(), std::string("e: e: ").size() + 10);
  ring.append(kErr, "0123456789");
  EXPECT_TRUE(content(ring).ends_with("9 "));
}

TEST(ReplayRing, KeepsOnlyTheEndOfMoreThanItHolds) {
  ReplayRing ring(4);
  ring.append(kOut, "x");
  ring.append(kErr, "0123456789");
  std::string all;
  for (char c : content(ring)) {
    if (c >= '0' && c <= '9') all += c;
  }
  EXPECT_EQ(all, "6789");
}

TEST(ReplayRing, CutsLongRunsIntoRecords) {
  ReplayRing ring(200000);
  std::string all;
  for (int i = 0; i < 5; ++i) {
    const std::string data(50000, static_cast<char>('a' + i));
    ring.append(kOut, data);
    all += data;
  }
  std::string replayed;
  for (OutputRecord& record : ring.records()) {
    for (const ProcessIO& io : decode_chunks(Encoding::kJson, record.frame(Encoding::kJson))) {
      EXPECT_LE(io.data().data().size(), kMaxData);
      replayed += io.data().data();
    }
  }
  EXPECT_EQ(replayed, all.substr(all.size() - 200000));
}

}  // namespace
}  // namespace ioswitchboard
