// What a client sends into a container: a stream of records in either encoding, cut anywhere.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "http/recordio.h"
#include "ioswitchboard/input_record.h"

namespace {

using ioswitchboard::Encoding;
using ioswitchboard::InputRecord;

void decode(Encoding encoding, std::string_view record) {
  const auto decoded = ioswitchboard::decode_input(encoding, record);
  if (!decoded) {
    if (decoded.error().kind != base::ErrorKind::kInvalid || decoded.error().message.empty()) {
      std::abort();
    }
    return;
  }
  // Nothing can come out that was not put in.
  if (decoded->data.size() > record.size()) std::abort();
  if (decoded->kind != InputRecord::Kind::kData && !decoded->data.empty()) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  decode(Encoding::kJson, bytes);
  decode(Encoding::kProtobuf, bytes);

  http::RecordDecoder decoder(1 << 20);
  const size_t cut = size == 0 ? 0 : data[0] % size;
  for (std::string_view piece : {bytes.substr(0, cut), bytes.substr(cut)}) {
    decoder.feed(piece);
    while (true) {
      const auto record = decoder.next();
      if (!record) return 0;
      if (!*record) break;
      decode(Encoding::kJson, **record);
      decode(Encoding::kProtobuf, **record);
    }
  }
  return 0;
}
