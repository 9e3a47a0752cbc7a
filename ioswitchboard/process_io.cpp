#include "ioswitchboard/process_io.h"

#include <charconv>
#include <cstring>

#include "base/strings.h"
#include "proto/base64.h"

namespace ioswitchboard {

namespace {

// Writes backwards from a fixed end: the lengths in front of a payload are known only after it.
class BackwardWriter {
 public:
  explicit BackwardWriter(char* end) : at_(end) {}

  char* at() const { return at_; }

  void put(char c) { *--at_ = c; }
  void put(std::string_view text) {
    at_ -= text.size();
    std::memcpy(at_, text.data(), text.size());
  }
  void put_number(size_t number, int radix) {
    char digits[24];
    put({digits, std::to_chars(digits, digits + sizeof(digits), number, radix).ptr});
  }
  void put_varint(uint64_t value) {
    char bytes[10];
    size_t size = 0;
    for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
    bytes[size++] = static_cast<char>(value);
    put({bytes, size});
  }
  // The tag of a length-delimited field and the length of what was put after `end`.
  void put_field(int number, const char* end) {
    put_varint(static_cast<size_t>(end - at_));
    put(static_cast<char>(number << 3 | 2));
  }
  void put_enum(int number, int value) {
    put(static_cast<char>(value));
    put(static_cast<char>(number << 3));
  }
  // The RecordIO and the chunk header in front of a payload of `size` bytes.
  void put_header(size_t size) {
    const char* end = at_;
    put('\n');
    put_number(size, 10);
    const size_t chunk = static_cast<size_t>(end - at_) + size;
    put("\r\n");
    put_number(chunk, 16);
  }

 private:
  char* at_;
};

constexpr std::string_view kChunkEnd = "\r\n";

}  // namespace

std::string_view media_type(Encoding encoding) {
  return encoding == Encoding::kJson ? kJsonType : kProtobufType;
}

std::optional<Encoding> encoding_of(std::string_view media_type) {
  const std::string_view bare = base::trim(media_type.substr(0, media_type.find(';')));
  if (base::equals_ignoring_case(bare, kJsonType)) return Encoding::kJson;
  if (base::equals_ignoring_case(bare, kProtobufType)) return Encoding::kProtobuf;
  return std::nullopt;
}

std::string_view frame_data_in_place(OutputType type, char* data, size_t size) {
  char* end = data + size;
  BackwardWriter out(data);
  out.put_field(2, end);                    // ProcessIO.Data.data
  out.put_enum(1, static_cast<int>(type));  // ProcessIO.Data.type
  out.put_field(2, end);                    // ProcessIO.data
  out.put_enum(1, 1);                       // ProcessIO.type = DATA
  out.put_header(static_cast<size_t>(end - out.at()));
  std::memcpy(end, kChunkEnd.data(), kFrameTail);
  return {out.at(), end + kFrameTail};
}

std::string frame_json_data(OutputType type, std::string_view data) {
  const std::string_view head = type == OutputType::kStdout
                                    ? R"({"type":"DATA","data":{"type":"STDOUT","data":")"
                                    : R"({"type":"DATA","data":{"type":"STDERR","data":")";
  constexpr std::string_view kTail = "\"}}";
  const size_t payload = head.size() + (data.size() + 2) / 3 * 4 + kTail.size();
  char header[kFrameHead];
  BackwardWriter out(std::end(header));
  out.put_header(payload);

  std::string frame;
  frame.reserve(static_cast<size_t>(std::end(header) - out.at()) + payload + kChunkEnd.size());
  frame.append(out.at(), std::end(header));
  frame.append(head);
  proto::append_base64(data, &frame);
  frame.append(kTail).append(kChunkEnd);
  return frame;
}

std::string frame_heartbeat(Encoding encoding, std::chrono::nanoseconds interval) {
  std::string payload;
  if (encoding == Encoding::kJson) {
    payload = base::concat(
        R"({"type":"CONTROL","control":{"type":"HEARTBEAT","heartbeat":{"interval":{"nanoseconds":)",
        interval.count(), "}}}}");
  } else {
    char bytes[kFrameHead];
    char* end = std::end(bytes);
    BackwardWriter out(end);
    out.put_varint(static_cast<uint64_t>(interval.count()));
    out.put(1 << 3);        // DurationInfo.nanoseconds
    out.put_field(1, end);  // ProcessIO.Control.Heartbeat.interval
    out.put_field(3, end);  // ProcessIO.Control.heartbeat
    out.put_enum(1, 2);     // ProcessIO.Control.type = HEARTBEAT
    out.put_field(3, end);  // ProcessIO.control
    out.put_enum(1, 2);     // ProcessIO.type = CONTROL
    payload.assign(out.at(), end);
  }
  char header[kFrameHead];
  BackwardWriter out(std::end(header));
  out.put_header(payload.size());
  return base::concat(std::string_view(out.at(), std::end(header)), payload, kChunkEnd);
}

}  // namespace ioswitchboard
