#include "proto/json_read.h"

#include <google/protobuf/descriptor.h>

#include <limits>
#include <map>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "proto/base64.h"
#include "proto/json_number.h"
#include "proto/json_syntax.h"

namespace proto {
namespace {

using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using rapidjson::SizeType;

template <typename Handler>
using EventHandler = rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Handler>;

// Reads a text that is a single number or boolean, as a string may be that stands for one.
struct ScalarHandler : EventHandler<ScalarHandler> {
  std::variant<std::monostate, bool, JsonNumber> scalar;
  int depth = 0;

  bool Bool(bool value) {
    if (depth == 0) scalar = value;
    return true;
  }
  bool RawNumber(const char* text, SizeType size, bool) {
    if (depth == 0) scalar = JsonNumber::parse({text, size});
    return true;
  }
  bool StartObject() { return ++depth <= kMaxJsonDepth; }
  bool StartArray() { return ++depth <= kMaxJsonDepth; }
  bool EndObject(SizeType) { return --depth >= 0; }
  bool EndArray(SizeType) { return --depth >= 0; }
};

template <typename T>
std::expected<T, std::string> parse_scalar(std::string_view text) {
  ScalarHandler handler;
  if (auto read = read_json(text, handler); !read) return std::unexpected(read.error());
  if (const T* value = std::get_if<T>(&handler.scalar)) return *value;
  return std::unexpected("Unexpected JSON type parsed");
}

// Where a value goes: a field of a message, or nowhere, if the field is null.
struct Slot {
  Message* message = nullptr;
  const FieldDescriptor* field = nullptr;

  explicit operator bool() const { return field != nullptr; }

  // Sets a singular field, appends to a repeated one.
  template <typename T, typename U>
  void put(void (Reflection::*set)(Message*, const FieldDescriptor*, T) const,
           void (Reflection::*add)(Message*, const FieldDescriptor*, T) const, U&& value) const {
    (message->GetReflection()->*(field->is_repeated() ? add : set))(message, field,
                                                                    std::forward<U>(value));
  }

  void put_string(std::string value) const {
    put(&Reflection::SetString, &Reflection::AddString, std::move(value));
  }

  // The message that the fields of an object go into.
  Message* put_message() const {
    const Reflection* reflection = message->GetReflection();
    return field->is_repeated() ? reflection->AddMessage(message, field)
                                : reflection->MutableMessage(message, field);
  }
};

// Fills a message from the events of its JSON form.
class MessageHandler : public EventHandler<MessageHandler> {
 public:
  explicit MessageHandler(Message* root) : root_(root) {}

  // The first thing that was wrong with the values.
  const std::optional<JsonError>& error() const { return error_; }

  bool Null() {
    take_slot();
    return true;
  }

  bool Bool(bool value) {
    if (const Slot slot = take_slot()) put_value(slot, value);
    return true;
  }

  bool RawNumber(const char* text, SizeType size, bool) {
    if (const Slot slot = take_slot()) put_value(slot, JsonNumber::parse({text, size}));
    return true;
  }

  bool String(const char* text, SizeType size, bool) {
    if (const Slot slot = take_slot()) put_text(slot, {text, size});
    return true;
  }

  bool Key(const char* text, SizeType size, bool) {
    Frame& frame = frames_.back();
    if (frame.kind == Frame::kMessage) {
      name_.assign(text, size);
      frame.slot.field = frame.slot.message->GetDescriptor()->FindFieldByName(name_);
      if (frame.slot) start_field(frame);
    } else if (frame.kind == Frame::kMap) {
      frame.entry = find_entry(frame, std::string(text, size));
    }
    return true;
  }

  bool StartObject() {
    if (frames_.empty()) {
      frames_.push_back({Frame::kMessage, {root_, nullptr}});
      return true;
    }
    const Slot slot = take_slot();
    if (!slot) return push({Frame::kIgnored, {}});
    if (slot.field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      return refuse(slot, "object") && push({Frame::kIgnored, {}});
    }
    if (slot.field->is_map()) return push({Frame::kMap, slot});
    return push({Frame::kMessage, {slot.put_message(), nullptr}});
  }
  bool EndObject(SizeType) { return pop(); }

  bool StartArray() {
    const Slot slot = take_slot();
    if (!slot) return push({Frame::kIgnored, {}});
    if (!slot.field->is_repeated()) {
      return refuse(slot, "array") && push({Frame::kIgnored, {}});
    }
    return push({Frame::kList, slot});
  }
  bool EndArray(SizeType) { return pop(); }

 private:
  // An object or list that is open.
  struct Frame {
    enum Kind { kMessage, kMap, kList, kIgnored };

    Kind kind;
    Slot slot;  // kMessage: the field of the latest key; kMap and kList: the field as a whole
    Message* entry = nullptr;  // kMap: of the latest key
    // kMessage: the entries that the latest key's field has so far, if it is a map. They are kept
    // here, because several objects in a list make one map.
    std::map<std::string, Message*> entries = {};
  };

  // The slot of the value that begins. Outside of any object it is an error to have one.
  Slot take_slot() {
    if (frames_.empty()) {
      fail(JsonErrorKind::kNotAnObject, "Expecting a JSON object");
      return {};
    }
    const Frame& frame = frames_.back();
    if (frame.kind != Frame::kMap) return frame.slot;
    return {frame.entry, frame.slot.field->message_type()->map_value()};
  }

  bool push(Frame frame) {
    frames_.push_back(std::move(frame));
    return frames_.size() <= kMaxJsonDepth;
  }

  bool pop() {
    frames_.pop_back();
    return true;
  }

  // Drops what an earlier occurrence of the same key has left.
  static void start_field(Frame& frame) {
    const Reflection* reflection = frame.slot.message->GetReflection();
    reflection->ClearField(frame.slot.message, frame.slot.field);
    frame.entries.clear();
  }

  // The entry of a map under this key, emptied if it was there already.
  Message* find_entry(const Frame& map, const std::string& key) {
    size_t owner = frames_.size() - 2;
    while (frames_[owner].kind == Frame::kList) --owner;
    auto [position, is_new] = frames_[owner].entries.try_emplace(key, nullptr);
    if (is_new) {
      position->second = map.slot.put_message();
    } else {
      position->second->Clear();
    }
    put_text({position->second, map.slot.field->message_type()->map_key()}, key);
    return position->second;
  }

  void put_value(const Slot& slot, bool value) {
    if (slot.field->cpp_type() != FieldDescriptor::CPPTYPE_BOOL) {
      refuse(slot, "boolean");
      return;
    }
    slot.put(&Reflection::SetBool, &Reflection::AddBool, value);
  }

  void put_value(const Slot& slot, const JsonNumber& number) {
    switch (slot.field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return slot.put(&Reflection::SetInt32, &Reflection::AddInt32, number.as<int32_t>());
      case FieldDescriptor::CPPTYPE_INT64:
        return slot.put(&Reflection::SetInt64, &Reflection::AddInt64, number.as<int64_t>());
      case FieldDescriptor::CPPTYPE_UINT32:
        return slot.put(&Reflection::SetUInt32, &Reflection::AddUInt32, number.as<uint32_t>());
      case FieldDescriptor::CPPTYPE_UINT64:
        return slot.put(&Reflection::SetUInt64, &Reflection::AddUInt64, number.as<uint64_t>());
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return slot.put(&Reflection::SetDouble, &Reflection::AddDouble, number.as<double>());
      case FieldDescriptor::CPPTYPE_FLOAT:
        return slot.put(&Reflection::SetFloat, &Reflection::AddFloat, number.as<float>());
      default:
        refuse(slot, "number");
    }
  }

  void put_text(const Slot& slot, std::string_view text) {
    switch (slot.field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_STRING:
        if (slot.field->type() == FieldDescriptor::TYPE_BYTES) return put_base64(slot, text);
        return slot.put_string(std::string(text));
      case FieldDescriptor::CPPTYPE_ENUM:
        return put_enum(slot, std::string(text));
      case FieldDescriptor::CPPTYPE_MESSAGE:
        refuse(slot, "string");
        return;
      case FieldDescriptor::CPPTYPE_BOOL:
        return put_scalar<bool>(slot, text, "boolean");
      case FieldDescriptor::CPPTYPE_DOUBLE:
      case FieldDescriptor::CPPTYPE_FLOAT: {
        constexpr double kInfinity = std::numeric_limits<double>::infinity();
        if (text == "Infinity") return put_value(slot, JsonNumber(kInfinity));
        if (text == "-Infinity") return put_value(slot, JsonNumber(-kInfinity));
        [[fallthrough]];
      }
      default:
        return put_scalar<JsonNumber>(slot, text, "number");
    }
  }

  template <typename T>
  void put_scalar(const Slot& slot, std::string_view text, std::string_view kind) {
    const auto value = parse_scalar<T>(text);
    if (value) return put_value(slot, *value);
    fail(JsonErrorKind::kConversion, "Failed to parse '" + std::string(text) + "' as a JSON " +
                                         std::string(kind) + " for field '" + slot.field->name() +
                                         "': " + value.error());
  }

  void put_base64(const Slot& slot, std::string_view text) {
    auto bytes = decode_base64(text);
    if (bytes) return slot.put_string(*std::move(bytes));
    fail(JsonErrorKind::kConversion, "Failed to base64 decode bytes field '" + slot.field->name() +
                                         "': " + bytes.error().message);
  }

  void put_enum(const Slot& slot, const std::string& name) {
    const EnumValueDescriptor* value = slot.field->enum_type()->FindValueByName(name);
    if (value) return slot.put(&Reflection::SetEnum, &Reflection::AddEnum, value);
    if (slot.field->is_required()) {
      fail(JsonErrorKind::kConversion, "Failed to find enum for '" + name + "'");
    }
  }

  // Always true, so that the reader goes on: a syntax error further down counts more.
  bool refuse(const Slot& slot, std::string_view kind) {
    fail(JsonErrorKind::kConversion,
         "Not expecting a JSON " + std::string(kind) + " for field '" + slot.field->name() + "'");
    return true;
  }

  void fail(JsonErrorKind kind, std::string message) {
    if (!error_) error_ = JsonError{kind, std::move(message)};
  }

  Message* root_;
  std::vector<Frame> frames_;
  std::string name_;  // reused, so that most keys cost no allocation
  std::optional<JsonError> error_;
};

}  // namespace

std::expected<void, JsonError> parse_json(std::string_view text, Message* out) {
  out->Clear();
  MessageHandler handler(out);
  if (auto read = read_json(text, handler); !read) {
    return std::unexpected(JsonError{JsonErrorKind::kSyntax, std::move(read).error()});
  }
  if (handler.error()) return std::unexpected(*handler.error());
  if (!out->IsInitialized()) {
    return std::unexpected(
        JsonError{JsonErrorKind::kMissingRequired,
                  "Missing required fields: " + out->InitializationErrorString()});
  }
  return {};
}

}  // namespace proto
