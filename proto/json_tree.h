// JSON as a tree, for what is no message: tokens, credentials, access control lists. Small texts,
// and not on the way of a call.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace proto {

// One value, with all that is in it.
struct Json {
  enum class Type : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

  Type type = Type::kNull;
  std::string name;         // of a member of an object
  std::string text;         // of a string, unescaped; of a number or a bool, as it was written
  std::vector<Json> items;  // of an array or an object, in order

  bool is(Type wanted) const { return type == wanted; }

  // The member of that name, the last one if there are several; nullptr if this has none.
  const Json* find(std::string_view member) const;

  // The same as text, without blanks.
  std::string to_text() const;
};

// kInvalid, with a sentence that quotes nothing of the text, for what is not one JSON value, or has
// more than 64 arrays and objects within each other. Whether strings are UTF-8 is not looked at.
base::Result<Json> parse_json_tree(std::string_view text);

}  // namespace proto
