#include "http/chunk_decoder.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using http::ChunkDecoder;

struct Decoded {
  std::string body;
  std::string rest;
  bool complete = false;
  std::string error;
};

Decoded decode(const std::vector<std::string>& pieces, bool in_place = true) {
  ChunkDecoder decoder;
  Decoded result;
  for (std::string piece : pieces) {
    std::string other(piece.size(), '\0');
    std::string& out = in_place ? piece : other;
    const auto n = decoder.feed(piece, out.data());
    if (!n) return {.error = n.error().message};
    EXPECT_TRUE(n->consumed == piece.size() || decoder.complete());
    result.body += out.substr(0, n->produced);
    result.rest += piece.substr(n->consumed);
  }
  result.complete = decoder.complete();
  return result;
}

TEST(ChunkDecoder, split_at_every_position) {
  const std::string stream =
      "3\r\nabc\r\n00a;name=value\r\n0123456789\r\nB \r\nhello\r\nyou!\r\n0\r\nA: b\r\nC: "
      "d\r\n\r\nrest";
  for (size_t i = 0; i <= stream.size(); ++i) {
    for (size_t j = i; j <= stream.size(); ++j) {
      for (const bool in_place : {true, false}) {
        const Decoded decoded =
            decode({stream.substr(0, i), stream.substr(i, j - i), stream.substr(j)}, in_place);
        ASSERT_EQ(decoded.error, "");
        EXPECT_EQ(decoded.body, "abc0123456789hello\r\nyou!");
        EXPECT_EQ(decoded.rest, "rest");
        EXPECT_TRUE(decoded.complete);
      }
    }
  }
}

TEST(ChunkDecoder, only_watches) {
  ChunkDecoder decoder;
  const auto first = decoder.feed("3\r\nabc\r\n0\r\n", nullptr);
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(first->consumed, 11u);
  EXPECT_EQ(first->produced, 3u);
  EXPECT_FALSE(decoder.complete());
  EXPECT_EQ(decoder.feed("\r\nx", nullptr)->consumed, 2u);
  EXPECT_TRUE(decoder.complete());
  EXPECT_EQ(decoder.feed("x", nullptr)->consumed, 0u);
}

TEST(ChunkDecoder, refuses_broken_framing) {
  for (const std::string stream : {"\r\n",
                                   "x\r\n",
                                   "-1\r\n",
                                   "+1\r\n",
                                   "0x1\r\n",
                                   " 1\r\n",
                                   ";\r\n",
                                   "1\na\n",
                                   "1\r\ra",
                                   "1;\n",
                                   "3\r\nabcd",
                                   "3\r\nabc\n",
                                   "3\r\nabc\rX",
                                   "3\r\nabc\r\n\r\n",
                                   "3x\r\nabc\r\n",
                                   "10000000000000000\r\n",
                                   "fffffffffffffffff\r\n",
                                   "0\r\n\n",
                                   "0\r\nA: b\n",
                                   "0\r\n\rX",
                                   "0\r\nA: b\rX"}) {
    EXPECT_NE(decode({stream}).error, "") << stream;
    std::vector<std::string> bytes;
    for (const char c : stream) bytes.emplace_back(1, c);
    EXPECT_NE(decode(bytes).error, "") << stream;
  }
}

TEST(ChunkDecoder, bounds_what_it_drops) {
  EXPECT_NE(decode({"1;" + std::string(20000, 'x')}).error, "");
  EXPECT_NE(decode({"0\r\nA: " + std::string(20000, 'x')}).error, "");
  std::string trailers = "0\r\n";
  for (int i = 0; i < 5000; ++i) trailers += "A: b\r\n";
  EXPECT_NE(decode({trailers}).error, "");
  // But not the number of chunks with extensions.
  std::string chunks;
  for (int i = 0; i < 5000; ++i) chunks += "1;abc\r\nx\r\n";
  EXPECT_EQ(decode({chunks + "0\r\n\r\n"}).body, std::string(5000, 'x'));
  EXPECT_EQ(decode({"ffffffffffffffff\r\nabc"}).body, "abc");
  // As long as they are not all that there is.
  chunks.clear();
  const std::string large =
      "2000;" + std::string(8000, 'x') + "\r\n" + std::string(0x2000, 'x') + "\r\n";
  for (int i = 0; i < 100; ++i) chunks += large;
  EXPECT_EQ(decode({chunks + "0\r\n\r\n"}).body.size(), 100U * 0x2000);
  chunks.clear();
  for (int i = 0; i < 100; ++i) chunks += "1;" + std::string(1000, 'x') + "\r\nx\r\n";
  EXPECT_NE(decode({chunks + "0\r\n\r\n"}).error, "");
  EXPECT_NE(decode({std::string(20000, '0') + "1\r\nx\r\n0\r\n\r\n"}).error, "");
}

}  // namespace
