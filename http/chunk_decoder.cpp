#include "http/chunk_decoder.h"

#include <algorithm>
#include <cstring>

namespace http {

namespace {

// By how much what stands around the data may exceed the data.
constexpr size_t kMaxOverhead = 16 * 1024;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

base::Result<ChunkDecoder::Decoded> ChunkDecoder::feed(std::string_view input, char* out) {
  Decoded decoded{0, 0};
  while (decoded.consumed < input.size() && state_ != State::kComplete) {
    if (state_ != State::kData) {
      if (const char* wrong = step(input[decoded.consumed])) {
        return base::fail(base::ErrorKind::kInvalid, wrong);
      }
      ++decoded.consumed;
      continue;
    }
    const size_t n = std::min<uint64_t>(left_, input.size() - decoded.consumed);
    const char* from = input.data() + decoded.consumed;
    if (out != nullptr && out + decoded.produced != from) {
      std::memmove(out + decoded.produced, from, n);
    }
    decoded.consumed += n;
    decoded.produced += n;
    left_ -= n;
    if (left_ == 0) state_ = State::kDataCr;
  }
  return decoded;
}

const char* ChunkDecoder::step(char c) {
  switch (state_) {
    case State::kSize:
    case State::kSizeMore:
      if (const int digit = hex_digit(c); digit >= 0) {
        if (left_ >> 60 != 0) return "a chunk size is too large";
        if (left_ == 0 && state_ == State::kSizeMore && ++overhead_ > kMaxOverhead) {
          return "a chunk size is too long";
        }
        left_ = left_ << 4 | static_cast<unsigned>(digit);
        state_ = State::kSizeMore;
        return nullptr;
      }
      if (state_ == State::kSize) break;
      if (c == '\r') {
        state_ = State::kSizeLf;
        return nullptr;
      }
      if (c != ';' && c != ' ' && c != '\t') break;
      state_ = State::kExtension;
      return nullptr;
    case State::kExtension:
      if (++overhead_ > kMaxOverhead) return "a chunk extension is too long";
      if (c == '\n') break;
      if (c == '\r') state_ = State::kSizeLf;
      return nullptr;
    case State::kSizeLf:
      if (c != '\n') break;
      overhead_ -= left_ > 0 ? std::min<uint64_t>(overhead_, left_) : overhead_;
      state_ = left_ > 0 ? State::kData : State::kTrailerStart;
      return nullptr;
    case State::kDataCr:
      if (c != '\r') return "a chunk is longer than its size";
      state_ = State::kDataLf;
      return nullptr;
    case State::kDataLf:
      if (c != '\n') return "a chunk is longer than its size";
      state_ = State::kSize;
      return nullptr;
    case State::kTrailerStart:
    case State::kTrailer:
      if (++overhead_ > kMaxOverhead) return "the trailers are too long";
      if (c == '\n') return "a line of the trailers does not end with CR LF";
      if (c != '\r') {
        state_ = State::kTrailer;
      } else {
        state_ = state_ == State::kTrailerStart ? State::kEndLf : State::kTrailerLf;
      }
      return nullptr;
    case State::kTrailerLf:
    case State::kEndLf:
      if (c != '\n') return "a line of the trailers does not end with CR LF";
      state_ = state_ == State::kEndLf ? State::kComplete : State::kTrailerStart;
      return nullptr;
    case State::kData:
    case State::kComplete:
      break;
  }
  return "invalid character in a chunk size";
}

}  // namespace http
