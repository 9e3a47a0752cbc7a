// The last bytes that a container has written, for readers that come late and ask for them.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string_view>

#include "ioswitchboard/output_record.h"

namespace ioswitchboard {

// Holds exactly the last `capacity` bytes of stdout and stderr together, in the order in which they
// were read. A capacity of 0 costs nothing; the memory of any other is taken with the first byte.
class ReplayRing {
 public:
  explicit ReplayRing(size_t capacity) : capacity_(capacity) {}

  void append(OutputType type, std::string_view data);

  // All of it as records of at most kMaxData bytes.
  std::deque<OutputRecord> records() const;

 private:
  // Bytes of one type next to each other.
  struct Run {
    OutputType type;
    size_t size;
  };

  void drop(size_t size);

  const size_t capacity_;
  std::unique_ptr<char[]> bytes_;
  size_t begin_ = 0;  // of the oldest byte
  size_t size_ = 0;
  std::deque<Run> runs_;
};

}  // namespace ioswitchboard
