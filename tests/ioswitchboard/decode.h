// Output streams taken apart, with protobuf's own means.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/chunk.h"
#include "http/recordio.h"
#include "ioswitchboard/process_io.h"
#include "proto/json_read.h"
#include "proto/mesos/v1/agent/agent.pb.h"

namespace ioswitchboard_test {

using ioswitchboard::Encoding;
using mesos::v1::agent::ProcessIO;

inline ProcessIO decode_record(Encoding encoding, std::string_view record) {
  ProcessIO message;
  if (encoding == Encoding::kJson) {
    EXPECT_TRUE(proto::parse_json(record, &message).has_value()) << record.substr(0, 200);
  } else {
    EXPECT_TRUE(message.ParseFromArray(record.data(), static_cast<int>(record.size())));
  }
  return message;
}

// What an output stream has brought: the bytes of each kind put together, and how often there was a
// heartbeat.
struct Output {
  std::string out;
  std::string err;
  int records = 0;
  int heartbeats = 0;

  void add(const ProcessIO& message) {
    ++records;
    if (message.type() == ProcessIO::DATA) {
      EXPECT_FALSE(message.data().data().empty());
      EXPECT_LE(message.data().data().size(), ioswitchboard::kMaxData);
      if (message.data().type() == ProcessIO::Data::STDOUT) out += message.data().data();
      if (message.data().type() == ProcessIO::Data::STDERR) err += message.data().data();
    } else {
      EXPECT_EQ(message.type(), ProcessIO::CONTROL);
      EXPECT_EQ(message.control().type(), ProcessIO::Control::HEARTBEAT);
      ++heartbeats;
    }
  }
};

// A body without its chunks.
inline Output decode_records(Encoding encoding, std::string_view body) {
  Output output;
  http::RecordDecoder decoder(1 << 20);
  decoder.feed(body);
  while (true) {
    auto record = decoder.next();
    EXPECT_TRUE(record.has_value());
    if (!record || !*record) return output;
    output.add(decode_record(encoding, **record));
  }
}

// Whole chunks, each of which must be exactly one record.
inline std::vector<ProcessIO> decode_chunks(Encoding encoding, std::string_view framed) {
  std::vector<ProcessIO> messages;
  while (!framed.empty()) {
    const std::string_view chunk = http::take_chunk(&framed);
    const size_t line = chunk.find('\n');
    EXPECT_NE(line, std::string_view::npos);
    EXPECT_EQ(std::to_string(chunk.size() - line - 1), chunk.substr(0, line));
    messages.push_back(decode_record(encoding, chunk.substr(line + 1)));
  }
  return messages;
}

}  // namespace ioswitchboard_test
