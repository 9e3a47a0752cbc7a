#include "proto/json_write.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "proto/base64.h"
#include "proto/json_number.h"

namespace proto {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

template <typename T>
void append_integer(T value, std::string* out) {
  char buffer[24];
  out->append(buffer, std::to_chars(buffer, buffer + sizeof(buffer), value).ptr);
}

class MessageWriter {
 public:
  MessageWriter(std::string* out, const JsonWriteOptions& options) : out_(out), options_(options) {}

  void write(const Message& message) {
    const Descriptor* type = message.GetDescriptor();
    const bool empty_lists =
        std::ranges::find(options_.with_empty_lists, type) != options_.with_empty_lists.end();
    out_->push_back('{');
    bool first = true;
    const auto sorted = options_.sorted ? sorted_fields(type) : Fields();
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor* field =
          options_.sorted ? sorted[static_cast<size_t>(i)] : type->field(i);
      if (!is_written(message, field, empty_lists)) continue;
      if (!std::exchange(first, false)) out_->push_back(',');
      out_->append("\"").append(field->name()).append("\":");
      if (field->is_map()) {
        write_map(message, field);
      } else if (field->is_repeated()) {
        write_list(message, field);
      } else {
        write_value(message, field, kSingular);
      }
    }
    out_->push_back('}');
  }

 private:
  static constexpr int kSingular = -1;

  using Fields = std::vector<const FieldDescriptor*>;

  static Fields sorted_fields(const Descriptor* type) {
    Fields fields;
    for (int i = 0; i < type->field_count(); ++i) fields.push_back(type->field(i));
    std::ranges::sort(fields, {}, &FieldDescriptor::name);
    return fields;
  }

  static bool is_written(const Message& message, const FieldDescriptor* field, bool empty_lists) {
    const Reflection* reflection = message.GetReflection();
    if (field->is_repeated()) {
      return (empty_lists && !field->is_map()) || reflection->FieldSize(message, field) > 0;
    }
    if (!reflection->HasField(message, field)) {
      return field->has_default_value() && !field->options().deprecated();
    }
    return field->cpp_type() != FieldDescriptor::CPPTYPE_DOUBLE ||
           !std::isnan(reflection->GetDouble(message, field));
  }

  void write_list(const Message& message, const FieldDescriptor* field) {
    const int size = message.GetReflection()->FieldSize(message, field);
    out_->push_back('[');
    for (int i = 0; i < size; ++i) {
      if (i > 0) out_->push_back(',');
      write_value(message, field, i);
    }
    out_->push_back(']');
  }

  // Sorted, because the order in memory changes from run to run.
  void write_map(const Message& message, const FieldDescriptor* field) {
    const Reflection* reflection = message.GetReflection();
    const FieldDescriptor* key = field->message_type()->map_key();
    std::vector<std::pair<std::string, const Message*>> entries;
    const int size = reflection->FieldSize(message, field);
    for (int i = 0; i < size; ++i) {
      const Message& entry = reflection->GetRepeatedMessage(message, field, i);
      entries.emplace_back(key_text(entry, key), &entry);
    }
    std::ranges::sort(entries);
    out_->push_back('{');
    for (size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_->push_back(',');
      append_json_string(entries[i].first, out_);
      out_->push_back(':');
      write_value(*entries[i].second, field->message_type()->map_value(), kSingular);
    }
    out_->push_back('}');
  }

  // A key of another type than string is the JSON of its value.
  static std::string key_text(const Message& entry, const FieldDescriptor* key) {
    if (key->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
      return entry.GetReflection()->GetString(entry, key);
    }
    std::string text;
    MessageWriter(&text, {}).write_value(entry, key, kSingular);
    return text;
  }

  // The value of a singular field, or one of a repeated field.
  void write_value(const Message& message, const FieldDescriptor* field, int index) {
    const Reflection* reflection = message.GetReflection();
    auto get = [&](auto singular, auto repeated) -> decltype(auto) {
      return index == kSingular ? (reflection->*singular)(message, field)
                                : (reflection->*repeated)(message, field, index);
    };
    switch (field->cpp_type()) {
      case FieldDescriptor::CPPTYPE_INT32:
        return append_integer(get(&Reflection::GetInt32, &Reflection::GetRepeatedInt32), out_);
      case FieldDescriptor::CPPTYPE_INT64:
        return append_integer(get(&Reflection::GetInt64, &Reflection::GetRepeatedInt64), out_);
      case FieldDescriptor::CPPTYPE_UINT32:
        return append_integer(get(&Reflection::GetUInt32, &Reflection::GetRepeatedUInt32), out_);
      case FieldDescriptor::CPPTYPE_UINT64:
        return append_integer(get(&Reflection::GetUInt64, &Reflection::GetRepeatedUInt64), out_);
      case FieldDescriptor::CPPTYPE_DOUBLE:
        return append_json_number(get(&Reflection::GetDouble, &Reflection::GetRepeatedDouble),
                                  out_);
      case FieldDescriptor::CPPTYPE_FLOAT:
        return append_json_number(get(&Reflection::GetFloat, &Reflection::GetRepeatedFloat), out_);
      case FieldDescriptor::CPPTYPE_BOOL:
        out_->append(get(&Reflection::GetBool, &Reflection::GetRepeatedBool) ? "true" : "false");
        return;
      case FieldDescriptor::CPPTYPE_ENUM:
        out_->append("\"")
            .append(get(&Reflection::GetEnum, &Reflection::GetRepeatedEnum)->name())
            .append("\"");
        return;
      case FieldDescriptor::CPPTYPE_MESSAGE:
        return write(index == kSingular ? reflection->GetMessage(message, field)
                                        : reflection->GetRepeatedMessage(message, field, index));
      case FieldDescriptor::CPPTYPE_STRING: {
        std::string unused;
        const std::string& text =
            index == kSingular
                ? reflection->GetStringReference(message, field, &unused)
                : reflection->GetRepeatedStringReference(message, field, index, &unused);
        if (field->type() != FieldDescriptor::TYPE_BYTES) return append_json_string(text, out_);
        out_->push_back('"');
        append_base64(text, out_);
        out_->push_back('"');
        return;
      }
    }
  }

  std::string* out_;
  const JsonWriteOptions& options_;
};

}  // namespace

void append_json(const Message& message, std::string* out, const JsonWriteOptions& options) {
  MessageWriter(out, options).write(message);
}

}  // namespace proto
