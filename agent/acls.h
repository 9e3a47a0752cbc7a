// Access control lists: who may do what, in the language of Apache Mesos (--acls).
//
//   {"permissive": false,
//    "view_flags": [{"principals": {"values": ["ann"]}, "flags": {"type": "ANY"}}], ...}
//
// Each list has the name of an action. Its entries are looked at in order, and the first that is
// about both the principal and the object decides. If none is, `permissive` (true if it is not
// given) does.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace agent {

class Acls {
 public:
  // kInvalid, with a sentence, for what is no such JSON, and for a list of this agent's with
  // entries that cannot mean anything. Lists of other names are skipped: a master may share the
  // file.
  static base::Result<Acls> parse(std::string_view json);

  // Whether the list lets the principal do it to the object. Nothing for a principal: one who was
  // not asked. Nothing for an object: any, or one that has no name.
  bool allow(std::string_view list, const std::optional<std::string>& principal,
             const std::optional<std::string>& object) const;

  // Lists that neither this agent nor a master of Apache Mesos knows: misspelt, most likely.
  const std::vector<std::string>& unknown_lists() const { return unknown_lists_; }

  // The values that the entries of a list give for their objects.
  std::vector<std::string> objects_of(std::string_view list) const;

  // What was parsed, as JSON without blanks.
  const std::string& text() const { return text_; }

 private:
  // One side of an entry.
  struct Entity {
    enum class Type { kSome, kAny, kNone };
    Type type = Type::kSome;
    std::vector<std::string> values;       // of kSome
    std::vector<std::string> roles_above;  // "a/", whatever is below which is meant: from "a/%"
  };
  struct Entry {
    Entity principals;
    Entity objects;
  };
  // Whether one name, or any, is what the entity is about, and whether that lets it.
  static bool matches(const Entity& entity, const std::optional<std::string>& name);
  static bool allows(const Entity& entity, const std::optional<std::string>& name);
  friend struct AclReader;

  bool permissive_ = true;
  std::map<std::string, std::vector<Entry>, std::less<>> lists_;
  std::vector<std::string> unknown_lists_;
  std::string text_;
};

// A list that this agent looks at, and what the objects in its entries are called: "users".
struct AclList {
  std::string_view name;
  std::string_view objects;
};
const AclList* find_acl_list(std::string_view name);

}  // namespace agent
