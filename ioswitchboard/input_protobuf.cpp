// An input record in protobuf.

#include <string_view>

#include "ioswitchboard/input_fields.h"
#include "proto/wire.h"

namespace ioswitchboard::internal {

namespace {

bool is_member(Message message, int number) {
  for (const EnumValue& value : enum_values(message)) {
    if (value.number == number) return true;
  }
  return false;
}

constexpr uint32_t tag_of(const Field& field) {
  const bool delimited = field.kind == FieldKind::kMessage || field.kind == FieldKind::kBytes;
  return delimited ? proto::bytes_field(field.number) : proto::varint_field(field.number);
}

// False if the bytes are no message.
bool read_message(Message message, std::string_view bytes, InputFields& fields) {
  fields[message].present = true;
  proto::WireReader reader(bytes);
  while (reader.next()) {
    const Field* field = find_field(message, proto::number_of(reader.tag()));
    // A known number with another wire type is one more unknown field.
    if (field == nullptr || tag_of(*field) != reader.tag()) continue;
    switch (field->kind) {
      case FieldKind::kMessage:
        if (!read_message(field->child, reader.bytes(), fields)) return false;
        break;
      case FieldKind::kBytes:
        fields.data = reader.bytes();
        break;
      case FieldKind::kEnum: {
        const auto number = static_cast<int>(reader.varint());
        if (is_member(message, number)) fields[message].type = number;
        break;
      }
      case FieldKind::kUint32:
        (field->number == 1 ? fields.rows : fields.columns) =
            static_cast<uint32_t>(reader.varint());
    }
  }
  return !reader.failed();
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
