#include "isolators/container_id.h"

#include <algorithm>

#include "base/strings.h"

namespace isolators {

using base::concat;
using base::ErrorKind;
using base::fail;

namespace {

// A file name is what an id becomes.
constexpr size_t kMaxIdSize = 255;

// Leaves room for the suffixes that Apache Mesos puts behind an id.
constexpr size_t kMaxContainerIdSize = 242;

base::Status validate_id(const std::string& id) {
  if (id.empty()) return fail(ErrorKind::kInvalid, "ID must not be empty");
  if (id.size() > kMaxIdSize) {
    return fail(ErrorKind::kInvalid,
                concat("ID must not be greater than ", kMaxIdSize, " characters"));
  }
  if (id == "." || id == "..") return fail(ErrorKind::kInvalid, concat("'", id, "' is disallowed"));
  const bool bad = std::any_of(id.begin(), id.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f || c == '/' || c == '\\';
  });
  if (bad) return fail(ErrorKind::kInvalid, concat("'", id, "' contains invalid characters"));
  return {};
}

base::Status validate_level(const std::string& id) {
  TRY_VOID(validate_id(id));
  if (id.size() > kMaxContainerIdSize) {
    return fail(ErrorKind::kInvalid,
                concat("'ContainerID.value' '", id, "' exceeds the maximum length (",
                       kMaxContainerIdSize, ")"));
  }
  if (id.find_first_of(". ") != std::string::npos) {
    return fail(ErrorKind::kInvalid,
                concat("'ContainerID.value' '", id, "' contains invalid characters"));
  }
  return {};
}

}  // namespace

ContainerId ContainerId::from_message(const mesos::v1::ContainerID& message) {
  std::vector<const std::string*> levels;
  for (const auto* level = &message;; level = &level->parent()) {
    levels.push_back(&level->value());
    if (!level->has_parent()) break;
  }
  std::string text;
  for (auto level = levels.rbegin(); level != levels.rend(); ++level) {
    if (!text.empty()) text += '.';
    text += **level;
  }
  return ContainerId(std::move(text));
}

ContainerId ContainerId::child(std::string_view value) const {
  return ContainerId(concat(text_, ".", value));
}

std::string_view ContainerId::value() const {
  return std::string_view(text_).substr(text_.rfind('.') + 1);
}

ContainerId ContainerId::parent() const { return ContainerId(text_.substr(0, text_.rfind('.'))); }

ContainerId ContainerId::root() const { return ContainerId(text_.substr(0, text_.find('.'))); }

bool ContainerId::is_ancestor_of(const ContainerId& other) const {
  return other.text_.size() > text_.size() && other.text_.starts_with(text_) &&
         other.text_[text_.size()] == '.';
}

std::string ContainerId::to_path(std::string_view separator) const {
  std::string path;
  for (std::string_view level : base::split(text_, '.')) {
    if (!path.empty()) path += concat("/", separator, "/");
    path += level;
  }
  return path;
}

mesos::v1::ContainerID ContainerId::to_message() const {
  mesos::v1::ContainerID message;
  const auto levels = base::split(text_, '.');
  auto* level = &message;
  for (auto value = levels.rbegin(); value != levels.rend(); ++value) {
    if (value != levels.rbegin()) level = level->mutable_parent();
    level->set_value(value->data(), value->size());
  }
  return message;
}

base::Status validate_container_id(const mesos::v1::ContainerID& message) {
  TRY_VOID(validate_level(message.value()));
  if (message.has_parent()) {
    auto parent = validate_container_id(message.parent());
    if (!parent) {
      return fail(std::move(parent).error().with_context("'ContainerID.parent' is invalid"));
    }
  }
  return {};
}

}  // namespace isolators
