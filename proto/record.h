// Records: how checkpoint files hold messages. A record is the length of a message, 32 bits in host
// byte order (little endian everywhere we run), and the message. A file holds one, or, as a log,
// one after the other.
#pragma once

#include <google/protobuf/message_lite.h>

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace proto {

// Fails for a message that lacks required fields, which nobody could read.
base::Result<std::string> make_record(const google::protobuf::MessageLite& message);

// The same around bytes that are a message already.
std::string frame_record(std::string_view body);

// Takes the records of a log apart. The content must outlive it.
class RecordReader {
 public:
  explicit RecordReader(std::string_view content) : content_(content) {}

  // The body of the next record; nothing at the end, or where the rest is no whole record.
  std::optional<std::string_view> next();

  // Where the last whole record ended. What follows it, if there is any, was torn.
  size_t offset() const { return offset_; }

 private:
  std::string_view content_;
  size_t offset_ = 0;
};

}  // namespace proto
