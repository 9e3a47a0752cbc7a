#include "http/headers.h"

#include <algorithm>

namespace http {

namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool same_token(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, {}, lower, lower);
}

const std::string* Headers::find(std::string_view name) const {
  for (auto field = fields_.rbegin(); field != fields_.rend(); ++field) {
    if (same_token(field->name, name)) return &field->value;
  }
  return nullptr;
}

void Headers::set(std::string_view name, std::string_view value) {
  remove(name);
  append(std::string(name), std::string(value));
}

void Headers::append(std::string name, std::string value) {
  fields_.push_back({std::move(name), std::move(value)});
}

void Headers::remove(std::string_view name) {
  std::erase_if(fields_, [&](const Field& field) { return same_token(field.name, name); });
}

}  // namespace http
