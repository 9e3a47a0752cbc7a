// The fields of an input record as they come from the wire, before validation; the table that both
// decoders read. Private to this directory.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ioswitchboard::internal {

// The messages that a record consists of, outermost first.
enum class Message : uint8_t {
  kCall,
  kInput,
  kProcessIo,
  kData,
  kControl,
  kTtyInfo,
  kWindowSize,
  kHeartbeat,
};
constexpr size_t kMessages = 8;

enum class FieldKind : uint8_t { kMessage, kEnum, kBytes, kUint32 };

struct Field {
  Message parent;
  uint8_t number;
  std::string_view name;
  FieldKind kind;
  Message child = Message::kCall;  // of kMessage
};

// The field, or nullptr if it is none of those that matter here: such are skipped unread.
const Field* find_field(Message parent, uint32_t number);
const Field* find_field(Message parent, std::string_view name);

struct EnumValue {
  std::string_view name;
  int number;
};

// The values that the field `type` of a message can have. Of Call's only the one expected here.
std::span<const EnumValue> enum_values(Message message);

struct InputFields {
  struct State {
    bool present = false;
    std::optional<int> type;
  };

  State& operator[](Message message) { return states[static_cast<size_t>(message)]; }

  // Forgets the message and all within it.
  void clear(Message message);

  std::array<State, kMessages> states;
  std::optional<std::string> data;
  std::optional<uint32_t> rows;
  std::optional<uint32_t> columns;
};

base::Result<InputFields> read_protobuf(std::string_view record);
base::Result<InputFields> read_json(std::string_view record);

}  // namespace ioswitchboard::internal
