// A large buffer for the moment of a copy.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace http {

// Held from a read until what was read is written on. The thread keeps one for reuse: as long as
// writes do not block, all streams share it, and an idle stream has none. What was never read into
// costs no memory.
class ScratchBuffer {
 public:
  // A system call then moves all that sockets usually hold; half of it costs a quarter more time.
  static constexpr size_t kSize = 256 * 1024;

  ScratchBuffer();
  ~ScratchBuffer();
  ScratchBuffer(const ScratchBuffer&) = delete;
  ScratchBuffer& operator=(const ScratchBuffer&) = delete;

  std::span<char> span() { return {bytes_.get(), kSize}; }

 private:
  std::unique_ptr<char[]> bytes_;
};

}  // namespace http
