// The name of a container and of all its ancestors.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace isolators {

// Held as "root.child.grandchild", which is also how it is printed: no level may contain a dot.
class ContainerId {
 public:
  ContainerId() = default;

  // The id that a message names. The message must be valid (see validate_container_id).
  static ContainerId from_message(const mesos::v1::ContainerID& message);
  static ContainerId root_of(std::string value) { return ContainerId(std::move(value)); }

  ContainerId child(std::string_view value) const;

  const std::string& to_string() const { return text_; }
  std::string_view value() const;  // the last level
  bool has_parent() const { return text_.find('.') != std::string::npos; }
  ContainerId parent() const;  // of a nested container only
  ContainerId root() const;
  bool is_ancestor_of(const ContainerId& other) const;

  // All levels with "/<separator>/" between: the way directories and cgroups nest.
  std::string to_path(std::string_view separator) const;

  mesos::v1::ContainerID to_message() const;

  auto operator<=>(const ContainerId&) const = default;

 private:
  explicit ContainerId(std::string text) : text_(std::move(text)) {}

  std::string text_;
};

// The rules of Apache Mesos for every level of the chain: not empty, at most 242 bytes, not "." or
// "..", no control characters, slashes, backslashes, dots or blanks. The error's text is Mesos's.
base::Status validate_container_id(const mesos::v1::ContainerID& message);

}  // namespace isolators

template <>
struct std::hash<isolators::ContainerId> {
  size_t operator()(const isolators::ContainerId& id) const noexcept {
    return std::hash<std::string>()(id.to_string());
  }
};
