// JSON text put together piece by piece, for what is no message. The form is that of json_write.h.
#pragma once

#include <google/protobuf/message.h>

#include <concepts>
#include <string>
#include <string_view>
#include <utility>

#include "proto/json_number.h"
#include "proto/json_write.h"

namespace proto {

// Commas come by themselves. Whoever builds sees to it that what is begun is ended, and that a key
// stands before every value of an object.
class JsonBuilder {
 public:
  JsonBuilder& begin_object() { return begin('{'); }
  JsonBuilder& end_object() { return end('}'); }
  JsonBuilder& begin_array() { return begin('['); }
  JsonBuilder& end_array() { return end(']'); }

  JsonBuilder& key(std::string_view name) {
    separate();
    append_json_string(name, &text_);
    text_ += ':';
    comma_ = false;
    return *this;
  }

  JsonBuilder& value(std::string_view text) {
    separate();
    append_json_string(text, &text_);
    return *this;
  }
  JsonBuilder& value(const char* text) { return value(std::string_view(text)); }
  JsonBuilder& value(const std::string& text) { return value(std::string_view(text)); }
  JsonBuilder& value(double number) {
    separate();
    append_json_number(number, &text_);
    return *this;
  }
  template <std::integral T>
    requires(!std::same_as<T, bool> && !std::same_as<T, char>)
  JsonBuilder& value(T number) {
    return raw(std::to_string(number));
  }
  JsonBuilder& value(std::same_as<bool> auto flag) { return raw(flag ? "true" : "false"); }
  JsonBuilder& value(const google::protobuf::Message& message,
                     const JsonWriteOptions& options = {}) {
    separate();
    append_json(message, &text_, options);
    return *this;
  }

  template <typename T>
  JsonBuilder& member(std::string_view name, const T& its_value) {
    return key(name).value(its_value);
  }

  std::string take() { return std::move(text_); }

 private:
  void separate() {
    if (comma_) text_ += ',';
    comma_ = true;
  }
  JsonBuilder& raw(std::string_view text) {
    separate();
    text_ += text;
    return *this;
  }
  JsonBuilder& begin(char bracket) {
    separate();
    text_ += bracket;
    comma_ = false;
    return *this;
  }
  JsonBuilder& end(char bracket) {
    text_ += bracket;
    comma_ = true;
    return *this;
  }

  std::string text_;
  bool comma_ = false;  // before the next key or value
};

}  // namespace proto
