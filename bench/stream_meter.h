// Counts what a session's output stream carries, without copying it: a reader that costs little, so
// that the agent and not the client is measured.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "bench/operator_calls.h"

namespace bench {

class StreamMeter {
 public:
  explicit StreamMeter(Encoding encoding) : encoding_(encoding) {}

  // The next bytes of the response, from behind its head on: chunks with RecordIO records of
  // ProcessIO in them, cut anywhere.
  base::Status feed(std::string_view bytes);

  // The container's own bytes, of stdout and stderr, in all complete records.
  uint64_t payload() const { return payload_; }

  // The last chunk has come.
  bool ended() const { return state_ == State::kEnded; }

 private:
  enum class State : uint8_t { kChunkSize, kChunk, kChunkEnd, kEnded };

  // Takes the number before the next line end off `bytes`; nothing if the line is not complete yet.
  base::Result<std::optional<uint64_t>> read_number(std::string_view* bytes, int radix,
                                                    std::string* line);
  base::Status feed_records(std::string_view bytes);
  void note_piece(std::string_view piece);
  uint64_t data_size() const;
  uint64_t json_data_size() const;
  uint64_t protobuf_data_size() const;

  const Encoding encoding_;
  State state_ = State::kChunkSize;
  std::string chunk_line_;
  uint64_t chunk_left_ = 0;
  std::string record_line_;
  std::optional<uint64_t> record_size_;
  uint64_t record_left_ = 0;
  std::string record_head_;  // its first and last bytes
  std::string record_tail_;
  uint64_t payload_ = 0;
};

}  // namespace bench
