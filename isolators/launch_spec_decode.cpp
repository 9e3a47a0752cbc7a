#include <cstring>

#include "isolators/launch_spec.h"
#include "isolators/launch_spec_format.h"

namespace isolators {

namespace {

// Reads on until something does not fit; then everything reads as empty and ok() is false.
class Decoder {
 public:
  Decoder(char* at, size_t size, char* room) : at_(at), end_(at + size), room_(room) {}

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == end_; }

  template <typename T>
  T number() {
    T value{};
    if (left() < sizeof(T)) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return value;
  }

  char* text() {
    static char empty[] = "";
    const auto length = number<uint32_t>();
    // A NUL inside would make the string another one than was sent.
    if (!ok_ || left() <= length || !ends_at(length)) {
      ok_ = false;
      return empty;
    }
    char* value = at_;
    at_ += length + 1;
    return value;
  }

  // How many elements follow, each of at least `smallest` encoded bytes: a count that cannot be
  // true is refused before any room is taken for it.
  uint32_t count(size_t smallest) {
    const auto value = number<uint32_t>();
    if (ok_ && value > left() / smallest) ok_ = false;
    return ok_ ? value : 0;
  }

  // The room for an array.
  template <typename T>
  T* take(uint32_t count) {
    static_assert(sizeof(T) % kAlignment == 0 || sizeof(T) == kAlignment / 2);
    T* array = reinterpret_cast<T*>(room_);
    room_ += (count * sizeof(T) + kAlignment - 1) / kAlignment * kAlignment;
    return array;
  }

  char** list() {
    const uint32_t size = count(sizeof(uint32_t) + 1);
    char** values = take<char*>(size + 1);
    for (uint32_t i = 0; i < size; ++i) values[i] = text();
    values[size] = nullptr;
    return values;
  }

  static constexpr size_t kAlignment = 8;

 private:
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  // Whether the first NUL is `length` bytes from here.
  bool ends_at(uint32_t length) const {
    return at_[length] == '\0' && std::memchr(at_, '\0', length) == nullptr;
  }

  char* at_;
  char* end_;
  char* room_;
  bool ok_ = true;
};

}  // namespace

uint32_t launch_spec_size(const char* header) {
  uint32_t magic;
  uint32_t size;
  std::memcpy(&magic, header, sizeof(magic));
  std::memcpy(&size, header + sizeof(magic), sizeof(size));
  const bool valid = magic == internal::kLaunchSpecMagic && size >= kLaunchSpecHeaderSize &&
                     size <= kMaxLaunchSpecSize;
  return valid ? size : 0;
}

// An element takes at least 4 bytes of the message for 4 in an array (a group), 5 for 8 (a string),
// or 28 for 40 (a mount); each array is rounded up, and each of the two lists ends with a null.
size_t launch_spec_room(size_t message_size) {
  return 2 * message_size + 2 * sizeof(char*) + 4 * Decoder::kAlignment;
}

bool decode_launch_spec(char* message, size_t size, char* room, LaunchSpecView* view) {
  if (size < kLaunchSpecHeaderSize || launch_spec_size(message) != size) return false;
  Decoder in(message + kLaunchSpecHeaderSize, size - kLaunchSpecHeaderSize, room);
  const auto bits = in.number<uint32_t>();
  view->controlling_terminal = bits & internal::kControllingTerminal;
  view->detach_mounts = bits & internal::kDetachMounts;
  view->has_credentials = bits & internal::kCredentials;
  view->mount_count = in.count(4 * (sizeof(uint32_t) + 1) + sizeof(uint64_t));
  view->mounts = in.take<MountView>(view->mount_count);
  for (uint32_t i = 0; i < view->mount_count; ++i) {
    MountView& mount = view->mounts[i];
    mount.source = in.text();
    mount.target = in.text();
    mount.type = in.text();
    mount.options = in.text();
    mount.flags = in.number<uint64_t>();
  }
  view->working_directory = in.text();
  view->trusted_prefix = in.number<uint32_t>();
  const bool prefix_fits = view->trusted_prefix <= std::strlen(view->working_directory);
  view->uid = in.number<uint32_t>();
  view->gid = in.number<uint32_t>();
  view->group_count = in.count(sizeof(uint32_t));
  view->groups = in.take<gid_t>(view->group_count);
  for (uint32_t i = 0; i < view->group_count; ++i) view->groups[i] = in.number<uint32_t>();
  view->executable = in.text();
  view->arguments = in.list();
  view->environment = in.list();
  return in.ok() && in.at_end() && prefix_fits;
}

}  // namespace isolators
