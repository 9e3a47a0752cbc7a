#include "proto/json_tree.h"

#include <utility>

#include "proto/json_string.h"
#include "proto/json_syntax.h"

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

void append_text(const Json& value, std::string* to) {
  switch (value.type) {
    case Type::kNull:
      *to += "null";
      break;
    case Type::kBool:
    case Type::kNumber:
      *to += value.text;
      break;
    case Type::kString:
      append_json_string(value.text, to);
      break;
    case Type::kArray:
    case Type::kObject: {
      const bool is_array = value.is(Type::kArray);
      *to += is_array ? '[' : '{';
      for (const Json& item : value.items) {
        if (&item != &value.items.front()) *to += ',';
        if (!is_array) {
          append_json_string(item.name, to);
          *to += ':';
        }
        append_text(item, to);
      }
      *to += is_array ? ']' : '}';
      break;
    }
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
  std::string json;
  append_text(*this, &json);
  return json;
}

base::Result<Json> parse_json_tree(std::string_view text) {
  TreeEvents events;
  const auto read = read_json(text, events);
  if (read) return events.take();
  // What follows a colon is a part of the text.
  std::string reason = read.error().substr(0, read.error().find(':'));
  if (reason.ends_with(" near")) reason.resize(reason.size() - 5);
  return base::fail(base::ErrorKind::kInvalid, std::move(reason));
}

}  // namespace proto
