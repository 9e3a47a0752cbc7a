// The protobuf wire format: a sequence of (tag, value), the tag being field number and wire type.
#include <optional>
#include <string_view>

#include "ioswitchboard/input_fields.h"

namespace ioswitchboard::internal {

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
constexpr int kMaxGroups = 100;

class WireReader {
 public:
  explicit WireReader(std::string_view bytes) : left_(bytes) {}

  bool at_end() const { return left_.empty(); }

  std::optional<uint64_t> read_varint() {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
      if (left_.empty()) return std::nullopt;
      const auto byte = static_cast<uint8_t>(left_.front());
      left_.remove_prefix(1);
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    return std::nullopt;
  }

  // A tag has at most five bytes, of which 32 bits count, and a field number of at least 1.
  std::optional<uint32_t> read_tag() {
    const size_t before = left_.size();
    const std::optional<uint64_t> value = read_varint();
    if (!value || before - left_.size() > 5) return std::nullopt;
    const auto tag = static_cast<uint32_t>(*value);
    if (tag >> 3 == 0) return std::nullopt;
    return tag;
  }

  std::optional<std::string_view> read_bytes() {
    const std::optional<uint64_t> size = read_varint();
    if (!size || *size > left_.size()) return std::nullopt;
    return take(*size);
  }

  // Skips the value behind `tag`.
  bool skip(uint32_t tag, int groups = 0) {
    switch (tag & 7) {
      case kVarint:
        return read_varint().has_value();
      case kFixed64:
        return skip_bytes(8);
      case kLengthDelimited:
        return read_bytes().has_value();
      case kFixed32:
        return skip_bytes(4);
      case kStartGroup:
        if (groups == kMaxGroups) return false;
        while (true) {
          const std::optional<uint32_t> inner = read_tag();
          if (!inner) return false;
          if ((*inner & 7) == kEndGroup) return *inner >> 3 == tag >> 3;
          if (!skip(*inner, groups + 1)) return false;
        }
      default:
        return false;
    }
  }

 private:
  std::string_view take(size_t size) {
    const std::string_view bytes = left_.substr(0, size);
    left_.remove_prefix(size);
    return bytes;
  }
  bool skip_bytes(size_t size) {
    if (left_.size() < size) return false;
    left_.remove_prefix(size);
    return true;
  }

  std::string_view left_;
};

bool is_member(Message message, int number) {
  for (const EnumValue& value : enum_values(message)) {
    if (value.number == number) return true;
  }
  return false;
}

constexpr uint32_t wire_type_of(FieldKind kind) {
  return kind == FieldKind::kMessage || kind == FieldKind::kBytes ? kLengthDelimited : kVarint;
}

bool read_message(Message message, std::string_view bytes, InputFields& fields) {
  fields[message].present = true;
  WireReader reader(bytes);
  while (!reader.at_end()) {
    const std::optional<uint32_t> tag = reader.read_tag();
    if (!tag) return false;
    const Field* field = find_field(message, *tag >> 3);
    // A known number with another wire type is one more unknown field.
    if (field == nullptr || wire_type_of(field->kind) != (*tag & 7)) {
      if (!reader.skip(*tag)) return false;
      continue;
    }
    if (wire_type_of(field->kind) == kVarint) {
      const std::optional<uint64_t> value = reader.read_varint();
      if (!value) return false;
      if (field->kind == FieldKind::kEnum) {
        const auto number = static_cast<int>(*value);
        if (is_member(message, number)) fields[message].type = number;
      } else {
        (field->number == 1 ? fields.rows : fields.columns) = static_cast<uint32_t>(*value);
      }
      continue;
    }
    const std::optional<std::string_view> value = reader.read_bytes();
    if (!value) return false;
    if (field->kind == FieldKind::kBytes) {
      fields.data = *value;
    } else if (!read_message(field->child, *value, fields)) {
      return false;
    }
  }
  return true;
}

}  // namespace

base::Result<InputFields> read_protobuf(std::string_view record) {
  InputFields fields;
  if (!read_message(Message::kCall, record, fields) ||
      (fields[Message::kWindowSize].present && !(fields.rows && fields.columns))) {
    return base::fail(base::ErrorKind::kInvalid, "Failed to parse body into a protobuf object");
  }
  return fields;
}

}  // namespace ioswitchboard::internal
