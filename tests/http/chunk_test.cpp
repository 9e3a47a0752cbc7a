#include "http/chunk.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using http::append_chunk;
using http::ChunkHead;
using http::take_chunk;

TEST(Chunk, heads) {
  EXPECT_EQ(ChunkHead(1).text(), "1\r\n");
  EXPECT_EQ(ChunkHead(500).text(), "1f4\r\n");
  EXPECT_EQ(ChunkHead(SIZE_MAX).text(), "ffffffffffffffff\r\n");
}

TEST(Chunk, append_and_take) {
  std::string framed;
  append_chunk("abc", &framed);
  append_chunk("", &framed);
  append_chunk(std::string(20, 'x'), &framed);
  EXPECT_EQ(framed, "3\r\nabc\r\n14\r\n" + std::string(20, 'x') + "\r\n");
  std::string_view rest = framed;
  EXPECT_EQ(take_chunk(&rest), "abc");
  EXPECT_EQ(take_chunk(&rest), std::string(20, 'x'));
  EXPECT_TRUE(rest.empty());
  EXPECT_EQ(take_chunk(&rest), "");
}

}  // namespace
