#include "proto/json_tree.h"

#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

namespace proto {

namespace {

using rapidjson::SizeType;
using Type = Json::Type;

constexpr size_t kMaxDepth = 64;

// Builds the tree from the reader's events. `open_` is the way from the root to where it is.
class TreeEvents : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, TreeEvents> {
 public:
  bool Null() { return add(Type::kNull); }
  bool Bool(bool value) { return add(Type::kBool, value ? "true" : "false"); }
  bool RawNumber(const char* text, SizeType size, bool) { return add(Type::kNumber, {text, size}); }
  bool String(const char* text, SizeType size, bool) { return add(Type::kString, {text, size}); }
  bool Key(const char* text, SizeType size, bool) {
    name_.assign(text, size);
    return true;
  }
  bool StartObject() { return open(Type::kObject); }
  bool EndObject(SizeType) { return close(); }
  bool StartArray() { return open(Type::kArray); }
  bool EndArray(SizeType) { return close(); }

  Json take() { return std::move(root_.items.front()); }

 private:
  bool add(Type type, std::string_view text = {}) {
    open_.back()->items.push_back({type, std::move(name_), std::string(text), {}});
    name_.clear();
    return true;
  }
  bool open(Type type) {
    if (open_.size() > kMaxDepth) return false;
    add(type);
    open_.push_back(&open_.back()->items.back());
    return true;
  }
  // Only now something can be added beside it, which would have moved it.
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;  // an array of one
  std::vector<Json*> open_ = {&root_};
  std::string name_;
};

using Writer = rapidjson::Writer<rapidjson::StringBuffer>;

void write_text(std::string_view text, Writer* to) {
  to->String(text.data(), static_cast<SizeType>(text.size()));
}

void write(const Json& value, Writer* to) {
  switch (value.type) {
    case Type::kNull:
      to->Null();
      break;
    case Type::kBool:
      to->Bool(value.text == "true");
      break;
    case Type::kNumber:
      to->RawValue(value.text.data(), value.text.size(), rapidjson::kNumberType);
      break;
    case Type::kString:
      write_text(value.text, to);
      break;
    case Type::kArray:
      to->StartArray();
      for (const Json& item : value.items) write(item, to);
      to->EndArray();
      break;
    case Type::kObject:
      to->StartObject();
      for (const Json& item : value.items) {
        write_text(item.name, to);
        write(item, to);
      }
      to->EndObject();
      break;
  }
}

}  // namespace

const Json* Json::find(std::string_view member) const {
  if (!is(Type::kObject)) return nullptr;
  for (auto item = items.rbegin(); item != items.rend(); ++item) {
    if (item->name == member) return &*item;
  }
  return nullptr;
}

std::string Json::to_text() const {
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  write(*this, &writer);
  return {buffer.GetString(), buffer.GetSize()};
}

base::Result<Json> parse_json_tree(std::string_view text) {
  rapidjson::MemoryStream stream(text.data(), text.size());
  rapidjson::Reader reader;
  TreeEvents events;
  // Iterative: how deep a stranger's text goes must not become how deep our stack does.
  constexpr unsigned kHow = rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag |
                            rapidjson::kParseNumbersAsStringsFlag;
  if (reader.Parse<kHow>(stream, events)) return events.take();
  const auto code = reader.GetParseErrorCode();
  const std::string reason = code == rapidjson::kParseErrorTermination
                                 ? "There are too many objects within each other."
                                 : rapidjson::GetParseError_En(code);
  return base::fail(base::ErrorKind::kInvalid,
                    reason + " (at byte " + std::to_string(reader.GetErrorOffset()) + ")");
}

}  // namespace proto
