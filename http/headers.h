// The header fields of an HTTP message.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace http {

// Fields in the order in which they came or were added. Names are compared without regard to case
// and kept as written. Of a name that occurs several times, the last value counts and the values
// are never joined: that is what Apache Mesos does, and clients rely on it (mesos-go sends Accept
// twice).
class Headers {
 public:
  struct Field {
    std::string name;
    std::string value;
  };

  Headers() = default;
  Headers(std::initializer_list<Field> fields) : fields_(fields) {}

  // The last value under this name; nullptr if there is none. Valid until the next change.
  const std::string* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  // Puts the field in place of all fields of that name.
  void set(std::string_view name, std::string_view value);
  // Adds one more field, also if the name is there already.
  void append(std::string name, std::string value);
  void remove(std::string_view name);

  bool empty() const { return fields_.empty(); }
  size_t size() const { return fields_.size(); }
  auto begin() const { return fields_.begin(); }
  auto end() const { return fields_.end(); }

 private:
  std::vector<Field> fields_;
};

// Compares ASCII text without regard to case, as header names and tokens are.
bool same_token(std::string_view a, std::string_view b);

}  // namespace http
