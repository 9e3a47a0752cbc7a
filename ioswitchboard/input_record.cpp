#include "ioswitchboard/input_record.h"

#include <utility>

#include "base/strings.h"
#include "ioswitchboard/input_fields.h"

namespace ioswitchboard {

namespace internal {

namespace {

using enum Message;

constexpr Field kFields[] = {
    {kCall, 1, "type", FieldKind::kEnum},
    {kCall, 10, "attach_container_input", FieldKind::kMessage, kInput},
    {kInput, 1, "type", FieldKind::kEnum},
    {kInput, 3, "process_io", FieldKind::kMessage, kProcessIo},
    {kProcessIo, 1, "type", FieldKind::kEnum},
    {kProcessIo, 2, "data", FieldKind::kMessage, kData},
    {kProcessIo, 3, "control", FieldKind::kMessage, kControl},
    {kData, 1, "type", FieldKind::kEnum},
    {kData, 2, "data", FieldKind::kBytes},
    {kControl, 1, "type", FieldKind::kEnum},
    {kControl, 2, "tty_info", FieldKind::kMessage, kTtyInfo},
    {kControl, 3, "heartbeat", FieldKind::kMessage, kHeartbeat},
    {kTtyInfo, 1, "window_size", FieldKind::kMessage, kWindowSize},
    {kWindowSize, 1, "rows", FieldKind::kUint32},
    {kWindowSize, 2, "columns", FieldKind::kUint32},
};

constexpr EnumValue kCallTypes[] = {{"ATTACH_CONTAINER_INPUT", 18}};
constexpr EnumValue kInputTypes[] = {{"UNKNOWN", 0}, {"CONTAINER_ID", 1}, {"PROCESS_IO", 2}};
constexpr EnumValue kProcessIoTypes[] = {{"UNKNOWN", 0}, {"DATA", 1}, {"CONTROL", 2}};
constexpr EnumValue kDataTypes[] = {{"UNKNOWN", 0}, {"STDIN", 1}, {"STDOUT", 2}, {"STDERR", 3}};
constexpr EnumValue kControlTypes[] = {{"UNKNOWN", 0}, {"TTY_INFO", 1}, {"HEARTBEAT", 2}};

}  // namespace

const Field* find_field(Message parent, uint32_t number) {
  for (const Field& field : kFields) {
    if (field.parent == parent && field.number == number) return &field;
  }
  return nullptr;
}

const Field* find_field(Message parent, std::string_view name) {
  for (const Field& field : kFields) {
    if (field.parent == parent && field.name == name) return &field;
  }
  return nullptr;
}

std::span<const EnumValue> enum_values(Message message) {
  switch (message) {
    case kCall:
      return kCallTypes;
    case kInput:
      return kInputTypes;
    case kProcessIo:
      return kProcessIoTypes;
    case kData:
      return kDataTypes;
    case kControl:
      return kControlTypes;
    default:
      return {};
  }
}

void InputFields::clear(Message message) {
  (*this)[message] = State();
  if (message == kData) data.reset();
  if (message == kWindowSize) {
    rows.reset();
    columns.reset();
  }
  for (const Field& field : kFields) {
    if (field.parent == message && field.kind == FieldKind::kMessage) clear(field.child);
  }
}

}  // namespace internal

namespace {

using internal::InputFields;
using internal::Message;

std::unexpected<base::Error> invalid(std::string text) {
  return base::fail(base::ErrorKind::kInvalid, std::move(text));
}

base::Result<InputRecord> to_data(InputFields fields) {
  if (!fields[Message::kData].present) {
    return invalid("Expecting 'process_io.data' to be present");
  }
  const std::optional<int> type = fields[Message::kData].type;
  if (!type) return invalid("Expecting 'process_io.data.type' to be present");
  if (*type != 1) return invalid("Expecting 'process_io.data.type' to be 'STDIN'");
  // Apache Mesos refuses a record without the field. But mesos-go leaves an empty one out in JSON,
  // and so does every proto3 library: it is how they say that stdin ends.
  return InputRecord{InputRecord::Kind::kData, std::move(fields.data).value_or("")};
}

base::Result<InputRecord> to_control(InputFields fields) {
  if (!fields[Message::kControl].present) {
    return invalid("Expecting 'process_io.control' to be present");
  }
  const std::optional<int> type = fields[Message::kControl].type;
  if (!type) return invalid("Expecting 'process_io.control.type' to be present");
  if (*type == 1) {
    if (!fields[Message::kTtyInfo].present) {
      return invalid("Expecting 'process_io.control.tty_info' to be present");
    }
    if (!fields[Message::kWindowSize].present) {
      return invalid("Expecting 'tty_info.window_size' to be present");
    }
    return InputRecord{InputRecord::Kind::kTtyInfo, {}, *fields.rows, *fields.columns};
  }
  if (*type == 2) {
    if (!fields[Message::kHeartbeat].present) {
      return invalid("Expecting 'process_io.control.heartbeat' to be present");
    }
    return InputRecord{};
  }
  return invalid("'process_io.control.type' is unknown");
}

}  // namespace

base::Result<InputRecord> decode_input(Encoding encoding, std::string_view record) {
  TRY(InputFields fields,
      encoding == Encoding::kJson ? internal::read_json(record) : internal::read_protobuf(record));
  if (!fields[Message::kCall].type) {
    return invalid("Expecting 'type' to be 'ATTACH_CONTAINER_INPUT'");
  }
  if (!fields[Message::kInput].present) {
    return invalid("Expecting 'attach_container_input' to be present");
  }
  const std::optional<int> input_type = fields[Message::kInput].type;
  if (input_type != 2) {
    const auto names = internal::enum_values(Message::kInput);
    return invalid(
        base::concat("Expecting 'attach_container_input.type' to be 'PROCESS_IO' instead of: '",
                     names[static_cast<size_t>(input_type.value_or(0))].name, "'"));
  }
  if (!fields[Message::kProcessIo].present) {
    return invalid("Expecting 'attach_container_input.process_io' to be present");
  }
  const std::optional<int> type = fields[Message::kProcessIo].type;
  if (!type) return invalid("Expecting 'process_io.type' to be present");
  if (*type == 1) return to_data(std::move(fields));
  if (*type == 2) return to_control(std::move(fields));
  return invalid("'process_io.type' is unknown");
}

}  // namespace ioswitchboard
