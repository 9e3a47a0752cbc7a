#include "proto/wire.h"

#include <bit>

namespace proto {

namespace {

enum WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kLengthDelimited = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

// How deep unknown groups may nest, as in protobuf's own parsers.
constexpr int kMaxDepth = 100;

void append_varint(uint64_t value, std::string* out) {
  while (value > 0x7f) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

// Fixed-width values are little-endian on the wire.
uint64_t load_little_endian(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}

}  // namespace

bool WireReader::fail() {
  failed_ = true;
  left_ = {};
  return false;
}

bool WireReader::next() {
  if (left_.empty()) return false;
  if (!read_tag(&tag_) || !read_value(tag_, 0)) return fail();
  return true;
}

double WireReader::as_double() const { return std::bit_cast<double>(number_); }

bool WireReader::read_varint(uint64_t* value) {
  *value = 0;
  for (unsigned shift = 0; shift < 70; shift += 7) {
    if (left_.empty()) return false;
    const auto byte = static_cast<uint8_t>(left_.front());
    left_.remove_prefix(1);
    *value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

// A tag has at most five bytes, of which 32 bits count, and a field number of at least 1.
bool WireReader::read_tag(uint32_t* tag) {
  constexpr size_t kMostBytes = 5;
  const size_t before = left_.size();
  uint64_t value = 0;
  if (!read_varint(&value) || before - left_.size() > kMostBytes) return false;
  *tag = static_cast<uint32_t>(value);
  return number_of(*tag) != 0;
}

bool WireReader::read_value(uint32_t tag, int depth) {
  number_ = 0;
  bytes_ = {};
  uint64_t size = 0;
  switch (tag & 7) {
    case kVarint:
      return read_varint(&number_);
    case kFixed64:
      size = 8;
      break;
    case kFixed32:
      size = 4;
      break;
    case kLengthDelimited:
      if (!read_varint(&size)) return false;
      break;
    case kStartGroup:
      return skip_group(tag >> 3, depth + 1);
    default:
      return false;
  }
  if (size > left_.size()) return false;
  const std::string_view value = left_.substr(0, size);
  left_.remove_prefix(size);
  if ((tag & 7) == kLengthDelimited) {
    bytes_ = value;
  } else {
    number_ = load_little_endian(value);
  }
  return true;
}

bool WireReader::skip_group(uint32_t number, int depth) {
  if (depth > kMaxDepth) return false;
  while (true) {
    uint32_t tag = 0;
    if (!read_tag(&tag)) return false;
    if ((tag & 7) == kEndGroup) return tag >> 3 == number;
    if (!read_value(tag, depth)) return false;
  }
}

void put_varint(uint32_t number, uint64_t value, std::string* out) {
  append_varint(varint_field(number), out);
  append_varint(value, out);
}

void put_double(uint32_t number, double value, std::string* out) {
  append_varint(double_field(number), out);
  auto bits = std::bit_cast<uint64_t>(value);
  for (int i = 0; i < 8; ++i, bits >>= 8) out->push_back(static_cast<char>(bits));
}

void put_bytes(uint32_t number, std::string_view value, std::string* out) {
  append_varint(bytes_field(number), out);
  append_varint(value.size(), out);
  out->append(value);
}

void put_id(uint32_t number, std::string_view id, std::string* out) {
  std::string message;
  put_bytes(1, id, &message);
  put_bytes(number, message, out);
}

}  // namespace proto
