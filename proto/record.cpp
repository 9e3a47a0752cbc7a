#include "proto/record.h"

#include <cstdint>
#include <cstring>

namespace proto {

using base::fail;

namespace {

constexpr size_t kLengthSize = sizeof(uint32_t);

void set_length(std::string& record) {
  const auto size = static_cast<uint32_t>(record.size() - kLengthSize);
  std::memcpy(record.data(), &size, kLengthSize);
}

}  // namespace

base::Result<std::string> make_record(const google::protobuf::MessageLite& message) {
  if (!message.IsInitialized()) {
    return fail("the message is incomplete: " + message.InitializationErrorString());
  }
  std::string record(kLengthSize, '\0');
  message.AppendToString(&record);
  set_length(record);
  return record;
}

std::string frame_record(std::string_view body) {
  std::string record(kLengthSize, '\0');
  record += body;
  set_length(record);
  return record;
}

std::optional<std::string_view> RecordReader::next() {
  const std::string_view rest = content_.substr(offset_);
  uint32_t size = 0;
  if (rest.size() < kLengthSize) return std::nullopt;
  std::memcpy(&size, rest.data(), kLengthSize);
  if (rest.size() - kLengthSize < size) return std::nullopt;
  offset_ += kLengthSize + size;
  return rest.substr(kLengthSize, size);
}

}  // namespace proto
