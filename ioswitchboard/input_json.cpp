// JSON as Apache Mesos reads it into a message: names are snake_case, unknown ones are ignored with
// all that they hold, null is an absent field, the last of a repeated name counts, bytes are
// base64, an unknown enum value is an absent field, and a number may also come as a string.
#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>
#include <rapidjson/stream.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string_view>

#include "base/strings.h"
#include "ioswitchboard/input_fields.h"
#include "proto/base64.h"

namespace ioswitchboard::internal {

namespace {

// How deep objects and arrays may nest.
constexpr int kMaxDepth = 200;

// What C makes of the number, for all that do not fit.
uint32_t wrap(double number) {
  if (!std::isfinite(number)) return 0;
  return static_cast<uint32_t>(static_cast<int64_t>(std::fmod(std::trunc(number), 4294967296.0)));
}

// RapidJSON calls one function for each token.
class Handler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, Handler> {
 public:
  explicit Handler(InputFields& fields) : fields_(fields) {}

  const std::string& error() const { return error_; }

  bool Null() {
    if (skipping()) return true;
    if (depth_ == 0) return refuse("Expecting a JSON object");
    const Field* field = std::exchange(field_, nullptr);
    if (field != nullptr) forget(*field);
    return true;
  }

  bool Bool(bool) { return scalar("boolean"); }
  bool Int(int number) { return Double(number); }
  bool Uint(unsigned number) { return Double(number); }
  bool Int64(int64_t number) { return integer(static_cast<uint32_t>(number)); }
  bool Uint64(uint64_t number) { return integer(static_cast<uint32_t>(number)); }
  bool Double(double number) { return integer(wrap(number)); }

  bool String(const char* text, rapidjson::SizeType size, bool) {
    if (skipping()) return true;
    if (depth_ == 0) return refuse("Expecting a JSON object");
    const Field* field = std::exchange(field_, nullptr);
    return field == nullptr || set_string(*field, std::string_view(text, size));
  }

  bool Key(const char* text, rapidjson::SizeType size, bool) {
    if (skipping()) return true;
    field_ = find_field(path_[depth_ - 1], std::string_view(text, size));
    return true;
  }

  bool StartObject() {
    if (!nest()) return false;
    if (skipping()) return true;
    if (depth_ == 0) return enter(Message::kCall);
    const Field* field = std::exchange(field_, nullptr);
    if (field == nullptr) {
      skip_from_ = nested_;
      return true;
    }
    if (field->kind != FieldKind::kMessage) return unexpected(*field, "object");
    return enter(field->child);
  }

  bool EndObject(rapidjson::SizeType) {
    if (!leave_skipped()) --depth_;
    --nested_;
    return true;
  }

  bool StartArray() {
    if (!nest()) return false;
    if (skipping()) return true;
    if (depth_ == 0) return refuse("Expecting a JSON object");
    const Field* field = std::exchange(field_, nullptr);
    if (field != nullptr) return unexpected(*field, "array");
    skip_from_ = nested_;
    return true;
  }

  bool EndArray(rapidjson::SizeType) {
    leave_skipped();
    --nested_;
    return true;
  }

 private:
  bool skipping() const { return skip_from_ > 0; }

  // True if the object or array that ends is within something that is skipped, or is just that.
  bool leave_skipped() {
    if (!skipping()) return false;
    if (skip_from_ == nested_) skip_from_ = 0;
    return true;
  }

  bool nest() {
    if (++nested_ <= kMaxDepth) return true;
    return refuse("Failed to parse body into JSON: nested too deep");
  }

  bool enter(Message message) {
    fields_.clear(message);
    fields_[message].present = true;
    path_[depth_++] = message;
    return true;
  }

  void forget(const Field& field) {
    switch (field.kind) {
      case FieldKind::kMessage:
        fields_.clear(field.child);
        break;
      case FieldKind::kEnum:
        fields_[field.parent].type.reset();
        break;
      case FieldKind::kBytes:
        fields_.data.reset();
        break;
      case FieldKind::kUint32:
        (field.number == 1 ? fields_.rows : fields_.columns).reset();
        break;
    }
  }

  bool set_string(const Field& field, std::string_view text) {
    switch (field.kind) {
      case FieldKind::kMessage:
        return unexpected(field, "string");
      case FieldKind::kEnum: {
        forget(field);
        for (const EnumValue& value : enum_values(field.parent)) {
          if (value.name == text) fields_[field.parent].type = value.number;
        }
        return true;
      }
      case FieldKind::kBytes:
        return set_bytes(field, text);
      case FieldKind::kUint32:
        return set_number(field, text);
    }
    return false;
  }

  bool set_bytes(const Field& field, std::string_view text);
  bool set_number(const Field& field, std::string_view text);

  bool integer(uint32_t number) {
    if (skipping() || depth_ == 0 || field_ == nullptr || field_->kind != FieldKind::kUint32) {
      return scalar("number");
    }
    const Field* field = std::exchange(field_, nullptr);
    (field->number == 1 ? fields_.rows : fields_.columns) = number;
    return true;
  }

  // A value that no field but a number can take.
  bool scalar(std::string_view what) {
    if (skipping()) return true;
    if (depth_ == 0) return refuse("Expecting a JSON object");
    const Field* field = std::exchange(field_, nullptr);
    return field == nullptr || unexpected(*field, what);
  }

  bool unexpected(const Field& field, std::string_view what) {
    return refuse(base::concat("Not expecting a JSON ", what, " for field '", field.name, "'"));
  }
  bool refuse(std::string text) {
    error_ = std::move(text);
    return false;
  }

  InputFields& fields_;
  std::string error_;
  const Field* field_ = nullptr;  // whose value comes next; nullptr: an unknown one's
  std::array<Message, kMessages> path_{};
  size_t depth_ = 0;   // messages in path_
  int nested_ = 0;     // objects and arrays, unknown ones too
  int skip_from_ = 0;  // nested_ of the outermost unknown object or array; 0: none
};

std::unexpected<base::Error> invalid(std::string text) {
  return base::fail(base::ErrorKind::kInvalid, std::move(text));
}

// Sends the tokens of one JSON value to the handler; what is wrong with the text, nullptr if
// nothing is. The reader recurses with every level, so the handler must refuse to go deep.
template <typename TokenHandler>
const char* parse(std::string_view text, TokenHandler& handler) {
  // Unescaped in place: the reader's other way has undefined behaviour (an offset from nullptr).
  std::string copy(text);
  rapidjson::InsituStringStream stream(copy.data());
  rapidjson::Reader reader;
  const rapidjson::ParseResult result = reader.Parse<rapidjson::kParseInsituFlag>(stream, handler);
  if (result.IsError()) return rapidjson::GetParseError_En(result.Code());
  // For the reader a NUL is the end.
  if (stream.Tell() != text.size()) {
    return rapidjson::GetParseError_En(rapidjson::kParseErrorDocumentRootNotSingular);
  }
  return nullptr;
}

bool Handler::set_bytes(const Field& field, std::string_view text) {
  auto bytes = proto::decode_base64(text);
  if (!bytes) {
    return refuse(base::concat("Failed to base64 decode bytes field '", field.name,
                               "': ", bytes.error().message));
  }
  fields_.data = *std::move(bytes);
  return true;
}

// Takes the one number that a text consists of.
struct NumberHandler : rapidjson::BaseReaderHandler<rapidjson::UTF8<>, NumberHandler> {
  std::optional<uint32_t> value;

  bool Default() { return false; }
  bool Int(int number) { return Int64(number); }
  bool Uint(unsigned number) { return Uint64(number); }
  bool Int64(int64_t number) { return set(static_cast<uint32_t>(number)); }
  bool Uint64(uint64_t number) { return set(static_cast<uint32_t>(number)); }
  bool Double(double number) { return set(wrap(number)); }
  bool set(uint32_t number) {
    value = number;
    return true;
  }
};

bool Handler::set_number(const Field& field, std::string_view text) {
  NumberHandler number;
  if (parse(text, number) != nullptr) {
    return refuse(
        base::concat("Failed to parse '", text, "' as a JSON number for field '", field.name, "'"));
  }
  (field.number == 1 ? fields_.rows : fields_.columns) = number.value;
  return true;
}

}  // namespace

base::Result<InputFields> read_json(std::string_view record) {
  InputFields fields;
  Handler handler(fields);
  if (const char* wrong = parse(record, handler)) {
    if (!handler.error().empty()) return invalid(handler.error());
    return invalid(base::concat("Failed to parse body into JSON: ", wrong));
  }
  if (fields[Message::kWindowSize].present) {
    std::string missing;
    constexpr std::string_view kWindow =
        "attach_container_input.process_io.control.tty_info.window_size.";
    if (!fields.rows) missing = base::concat(kWindow, "rows");
    if (!fields.columns) {
      missing = base::concat(missing, missing.empty() ? "" : ", ", kWindow, "columns");
    }
    if (!missing.empty()) return invalid(base::concat("Missing required fields: ", missing));
  }
  return fields;
}

}  // namespace ioswitchboard::internal
