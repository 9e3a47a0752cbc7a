// The framing of chunked bodies, receiving side.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace http {

// Takes one chunked body apart, however it was cut into pieces. Strict: whoever sends broken
// framing must not get a guess. Chunk extensions and trailers are tolerated (within a bound) and
// dropped.
class ChunkDecoder {
 public:
  struct Decoded {
    size_t consumed;  // of the input; less than its size only if the body ended
    size_t produced;  // into the output
  };

  // `out` has room for all of the input and may be the same memory; nullptr only watches where the
  // body ends. kInvalid if the framing is broken; do not feed it any further then.
  base::Result<Decoded> feed(std::string_view input, char* out);

  // Whether the last chunk, and the trailers behind it, are through.
  bool complete() const { return state_ == State::kComplete; }

 private:
  enum class State {
    kSize,       // before the first digit of a size
    kSizeMore,   // behind it
    kExtension,  // behind all digits, up to CR
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,  // of each line behind the last chunk; an empty one ends it all
    kTrailer,
    kTrailerLf,
    kEndLf,
    kComplete,
  };

  // One byte that is not payload; nullptr, or what is wrong with it.
  const char* step(char c);

  State state_ = State::kSize;
  uint64_t left_ = 0;    // of the chunk; while its size is read, the size so far
  size_t overhead_ = 0;  // by how much extensions, or trailers, exceed the data
};

}  // namespace http
