#include "ioswitchboard/output_record.h"

#include <cstring>
#include <utility>

namespace ioswitchboard {

namespace {

OutputBuffer copy(std::string_view data) {
  OutputBuffer buffer(data.size());
  std::memcpy(buffer.data(), data.data(), data.size());
  return buffer;
}

}  // namespace

OutputRecord::OutputRecord(OutputType type, OutputBuffer buffer, size_t size)
    : type_(type),
      buffer_(std::move(buffer)),
      data_(buffer_.data(), size),
      protobuf_(frame_data_in_place(type, buffer_.data(), size)) {}

OutputRecord::OutputRecord(OutputType type, std::string_view data)
    : OutputRecord(type, copy(data), data.size()) {}

OutputRecord OutputRecord::heartbeat(std::chrono::nanoseconds interval) {
  const std::string protobuf = frame_heartbeat(Encoding::kProtobuf, interval);
  OutputRecord record(OutputType::kStdout, protobuf);
  record.protobuf_ = record.data_;
  record.json_ = std::make_unique<std::string>(frame_heartbeat(Encoding::kJson, interval));
  return record;
}

std::string_view OutputRecord::frame(Encoding encoding) {
  if (encoding == Encoding::kProtobuf) return protobuf_;
  if (json_ == nullptr) json_ = std::make_unique<std::string>(frame_json_data(type_, data_));
  return *json_;
}

}  // namespace ioswitchboard
