#include "ioswitchboard/process_io.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "http/recordio.h"
#include "proto/json_write.h"
#include "proto/mesos/v1/agent/agent.pb.h"

namespace ioswitchboard {
namespace {

using namespace std::chrono_literals;
using namespace std::string_view_literals;
using mesos::v1::agent::ProcessIO;

// What protobuf and the JSON mapping make of the message, as one record in one chunk.
std::string expected_frame(Encoding encoding, const ProcessIO& message) {
  std::string payload;
  if (encoding == Encoding::kJson) {
    proto::append_json(message, &payload);
  } else {
    payload = message.SerializeAsString();
  }
  std::string record;
  http::append_record(payload, &record);
  char head[32];
  std::snprintf(head, sizeof(head), "%zx\r\n", record.size());
  return head + record + "\r\n";
}

std::string frame_in_place(OutputType type, std::string_view data) {
  std::string buffer(kFrameHead + data.size() + kFrameTail, '#');
  buffer.replace(kFrameHead, data.size(), data);
  const std::string_view frame = frame_data_in_place(type, buffer.data() + kFrameHead, data.size());
  EXPECT_GE(frame.data(), buffer.data());
  EXPECT_EQ(frame.data() + frame.size(), buffer.data() + buffer.size());
  return std::string(frame);
}

std::string test_data(size_t size) {
  std::string data;
  for (size_t i = 0; i < size; ++i) data += static_cast<char>(i * 31 + i / 256);
  return data;
}

TEST(ProcessIo, FramesDataLikeProtobufAndItsJsonMapping) {
  for (size_t size : {1u, 2u, 3u, 4u, 57u, 120u, 127u, 128u, 16383u, 16384u, 65535u, 65536u}) {
    const std::string data = test_data(size);
    for (OutputType type : {OutputType::kStdout, OutputType::kStderr}) {
      ProcessIO message;
      message.set_type(ProcessIO::DATA);
      message.mutable_data()->set_type(type == OutputType::kStdout ? ProcessIO::Data::STDOUT
                                                                   : ProcessIO::Data::STDERR);
      message.mutable_data()->set_data(data);
      EXPECT_EQ(frame_in_place(type, data), expected_frame(Encoding::kProtobuf, message)) << size;
      EXPECT_EQ(frame_json_data(type, data), expected_frame(Encoding::kJson, message)) << size;
    }
  }
}

TEST(ProcessIo, FramesHeartbeatsLikeProtobufAndItsJsonMapping) {
  for (auto interval : std::vector<std::chrono::nanoseconds>{1ns, 127ns, 128ns, 10ms, 30s, 24h}) {
    ProcessIO message;
    message.set_type(ProcessIO::CONTROL);
    message.mutable_control()->set_type(ProcessIO::Control::HEARTBEAT);
    message.mutable_control()->mutable_heartbeat()->mutable_interval()->set_nanoseconds(
        interval.count());
    for (Encoding encoding : {Encoding::kJson, Encoding::kProtobuf}) {
      EXPECT_EQ(frame_heartbeat(encoding, interval), expected_frame(encoding, message));
    }
  }
}

// As an agent of Apache Mesos sends them.
TEST(ProcessIo, FramesWhatWasRecorded) {
  EXPECT_EQ(
      frame_json_data(OutputType::kStdout, "out\n"),
      "3d\r\n58\n{\"type\":\"DATA\",\"data\":{\"type\":\"STDOUT\",\"data\":\"b3V0Cg==\"}}\r\n");
  EXPECT_EQ(
      frame_json_data(OutputType::kStderr, "err\n"),
      "3d\r\n58\n{\"type\":\"DATA\",\"data\":{\"type\":\"STDERR\",\"data\":\"ZXJyCg==\"}}\r\n");
  EXPECT_EQ(frame_in_place(OutputType::kStdout, "out\n"),
            "f\r\n12\n\x08\x01\x12\x08\x08\x02\x12\x04out\n\r\n"sv);
  EXPECT_EQ(frame_in_place(OutputType::kStderr, "err\n"),
            "f\r\n12\n\x08\x01\x12\x08\x08\x03\x12\x04"
            "err\n\r\n"sv);
}

TEST(ProcessIo, KnowsItsMediaTypes) {
  EXPECT_EQ(encoding_of("application/json"), Encoding::kJson);
  EXPECT_EQ(encoding_of("Application/X-Protobuf; charset=utf-8"), Encoding::kProtobuf);
  EXPECT_EQ(encoding_of("application/recordio"), std::nullopt);
  EXPECT_EQ(encoding_of(""), std::nullopt);
  EXPECT_EQ(media_type(Encoding::kJson), "application/json");
  EXPECT_EQ(media_type(Encoding::kProtobuf), "application/x-protobuf");
}

}  // namespace
}  // namespace ioswitchboard
