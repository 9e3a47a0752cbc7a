// RecordIO, the framing of Apache Mesos's streams: "<length in decimal>\n<payload>", records one
// right after the other.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace http {

// Appends one record.
void append_record(std::string_view payload, std::string* out);

// Takes a stream apart, however it was cut into pieces. Copies only records that come in pieces.
//
//   decoder.feed(bytes);
//   while (true) {
//     CO_TRY(auto record, decoder.next());
//     if (!record) break;
//     ...
//   }
class RecordDecoder {
 public:
  explicit RecordDecoder(size_t max_record) : max_record_(max_record) {}

  // The next bytes of the stream. They must stay where they are until next() gives nothing.
  void feed(std::string_view bytes);

  // The next record (which may be empty), valid until the next call of next() or feed(); nothing
  // if more bytes are needed. kInvalid, and the same for ever, if a length is not a plain number
  // ("Failed to decode length 'x': Failed to convert 'x' to number", as Apache Mesos has it) or
  // larger than `max_record` (code EMSGSIZE).
  base::Result<std::optional<std::string_view>> next();

  // Whether the stream has stopped inside of a record or its length. Apache Mesos ignores such a
  // rest at the end of a stream.
  bool mid_record() const { return length_ || !partial_.empty() || !input_.empty(); }

 private:
  base::Result<std::optional<std::string_view>> decode();

  const size_t max_record_;
  std::string_view input_;        // fed and not looked at yet
  std::string partial_;           // of a length or, once length_ is known, of a payload
  bool partial_given_ = false;    // partial_ is a record that was given out
  std::optional<size_t> length_;  // of the record that comes
  std::optional<base::Error> error_;
};

}  // namespace http
