#include "http/recordio.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <random>
#include <string>
#include <vector>

namespace {

using http::append_record;
using http::RecordDecoder;

// All records of a stream that comes in these pieces; `error` is set if decoding fails.
std::vector<std::string> decode(const std::vector<std::string>& pieces, RecordDecoder& decoder,
                                std::string* error = nullptr) {
  std::vector<std::string> records;
  for (const std::string& piece : pieces) {
    const std::string copy = piece;  // so that ASan sees what reads it too late
    decoder.feed(copy);
    while (true) {
      const auto record = decoder.next();
      if (!record) {
        if (error != nullptr) *error = record.error().message;
        return records;
      }
      if (!*record) break;
      records.emplace_back(**record);
    }
  }
  return records;
}

TEST(RecordIO, encodes) {
  std::string out;
  append_record("abc", &out);
  append_record("", &out);
  append_record(std::string(12, 'x'), &out);
  EXPECT_EQ(out, "3\nabc0\n12\nxxxxxxxxxxxx");
}

TEST(RecordIO, decodes_split_at_every_position) {
  const std::string stream = "3\nabc0\n12\nxxxxxxxxxxxx1\n\n";
  const std::vector<std::string> expected = {"abc", "", "xxxxxxxxxxxx", "\n"};
  for (size_t i = 0; i <= stream.size(); ++i) {
    for (size_t j = i; j <= stream.size(); ++j) {
      RecordDecoder decoder(100);
      EXPECT_EQ(decode({stream.substr(0, i), stream.substr(i, j - i), stream.substr(j)}, decoder),
                expected);
      EXPECT_FALSE(decoder.mid_record());
    }
  }
}

TEST(RecordIO, decodes_byte_by_byte) {
  std::string stream;
  std::vector<std::string> expected;
  for (int i = 0; i < 300; ++i) {
    expected.emplace_back(i, static_cast<char>('a' + i % 26));
    append_record(expected.back(), &stream);
  }
  std::vector<std::string> bytes;
  for (const char c : stream) bytes.emplace_back(1, c);
  RecordDecoder decoder(1000);
  EXPECT_EQ(decode(bytes, decoder), expected);
}

TEST(RecordIO, decodes_random_pieces) {
  std::mt19937 random(7);
  std::string stream;
  std::vector<std::string> expected;
  for (int i = 0; i < 200; ++i) {
    expected.emplace_back(random() % 5000, static_cast<char>(random()));
    append_record(expected.back(), &stream);
  }
  for (int round = 0; round < 20; ++round) {
    std::vector<std::string> pieces;
    for (size_t at = 0; at < stream.size();) {
      const size_t n = random() % (round % 2 == 0 ? 9000 : 40);
      pieces.push_back(stream.substr(at, n));
      at += n;
    }
    RecordDecoder decoder(5000);
    EXPECT_EQ(decode(pieces, decoder), expected);
  }
}

TEST(RecordIO, knows_when_it_is_in_a_record) {
  RecordDecoder decoder(100);
  EXPECT_FALSE(decoder.mid_record());
  decode({"1"}, decoder);
  EXPECT_TRUE(decoder.mid_record());
  decode({"\n"}, decoder);
  EXPECT_TRUE(decoder.mid_record());
  EXPECT_EQ(decode({"x"}, decoder).size(), 1u);
  EXPECT_FALSE(decoder.mid_record());
  decode({"5\nab"}, decoder);
  EXPECT_TRUE(decoder.mid_record());
  EXPECT_EQ(decode({"cde"}, decoder).size(), 1u);
  EXPECT_FALSE(decoder.mid_record());
}

TEST(RecordIO, refuses_what_is_no_number) {
  for (const std::string length : {"zz", "", " 3", "3 ", "3\r", "+3", "-1", "0x10", "1.5",
                                   "18446744073709551616", "{\"type\":1}"}) {
    for (const bool split : {false, true}) {
      RecordDecoder decoder(1000);
      std::vector<std::string> pieces = {length + "\n{}"};
      if (split) pieces = {length, "\n{}"};
      std::string error;
      EXPECT_TRUE(decode(pieces, decoder, &error).empty());
      EXPECT_EQ(error, "Failed to decode length '" + length + "': Failed to convert '" + length +
                           "' to number");
      // And so it stays.
      EXPECT_TRUE(decode({"1\nx"}, decoder, &error).empty());
      EXPECT_FALSE(decoder.next().has_value());
    }
  }
}

TEST(RecordIO, refuses_a_length_that_does_not_end) {
  RecordDecoder decoder(1000);
  std::string error;
  decode({std::string(100000, '1')}, decoder, &error);
  EXPECT_TRUE(error.starts_with("Failed to decode length '1111")) << error;
  EXPECT_LT(error.size(), 300u);

  RecordDecoder bytewise(1000);
  error.clear();
  decode(std::vector<std::string>(100, "1"), bytewise, &error);
  EXPECT_FALSE(error.empty());
}

TEST(RecordIO, refuses_large_records) {
  RecordDecoder decoder(10);
  EXPECT_EQ(decode({"10\n0123456789"}, decoder).size(), 1u);
  decoder.feed("11\n0");
  const auto record = decoder.next();
  ASSERT_FALSE(record.has_value());
  EXPECT_EQ(record.error().kind, base::ErrorKind::kInvalid);
  EXPECT_EQ(record.error().code, EMSGSIZE);
  EXPECT_EQ(record.error().message, "A record of 11 bytes is larger than the limit of 10 bytes");
}

}  // namespace
