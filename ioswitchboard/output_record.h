// One record of a container's output, ready to be sent.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

#include "ioswitchboard/process_io.h"

namespace ioswitchboard {

// What the container's output is read into, with room for the framing around it, so that the
// protobuf form needs no copy.
class OutputBuffer {
 public:
  explicit OutputBuffer(size_t capacity)
      : bytes_(std::make_unique_for_overwrite<char[]>(kFrameHead + capacity + kFrameTail)) {}

  char* data() { return bytes_.get() + kFrameHead; }
  explicit operator bool() const { return bytes_ != nullptr; }

 private:
  std::unique_ptr<char[]> bytes_;
};

// Framed in protobuf from the start, in JSON from the first use on.
class OutputRecord {
 public:
  // The first `size` bytes of the buffer, which it takes over.
  OutputRecord(OutputType type, OutputBuffer buffer, size_t size);
  // A copy of the data.
  OutputRecord(OutputType type, std::string_view data);
  static OutputRecord heartbeat(std::chrono::nanoseconds interval);

  // The record as one HTTP chunk. Valid as long as the record, also when that is moved.
  std::string_view frame(Encoding encoding);

  // About how much memory the record takes.
  size_t cost() const { return sizeof(OutputRecord) + protobuf_.size(); }

 private:
  OutputType type_;
  OutputBuffer buffer_;
  std::string_view data_;      // in buffer_
  std::string_view protobuf_;  // in buffer_
  std::unique_ptr<std::string> json_;
};

}  // namespace ioswitchboard
