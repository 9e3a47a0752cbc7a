// RecordIO: any bytes, in any pieces, give the same records and the same verdict.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "http/recordio.h"

namespace {

constexpr size_t kMaxRecord = 1000;

struct Outcome {
  std::vector<std::string> records;
  bool failed = false;
  bool mid_record = false;

  bool operator==(const Outcome&) const = default;
};

Outcome decode(std::string_view stream, size_t piece) {
  http::RecordDecoder decoder(kMaxRecord);
  Outcome outcome;
  while (!stream.empty() && !outcome.failed) {
    // A copy of exact size, so that ASan sees every read beyond it or after its time.
    const std::string bytes(stream.substr(0, piece));
    stream.remove_prefix(bytes.size());
    decoder.feed(bytes);
    while (true) {
      const auto record = decoder.next();
      outcome.failed = !record;
      if (!record || !*record) break;
      if ((*record)->size() > kMaxRecord) std::abort();
      outcome.records.emplace_back(**record);
    }
  }
  // Of a broken stream, how much was looked at depends on the pieces.
  outcome.mid_record = !outcome.failed && decoder.mid_record();
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const Outcome whole = decode(stream, std::max<size_t>(size, 1));
  for (const size_t piece : {1, 3, 64}) {
    if (decode(stream, piece) != whole) std::abort();
  }
  // What was decoded encodes to what decodes to the same.
  std::string encoded;
  for (const std::string& record : whole.records) http::append_record(record, &encoded);
  if (decode(encoded, std::max<size_t>(encoded.size(), 1)).records != whole.records) std::abort();
  return 0;
}
