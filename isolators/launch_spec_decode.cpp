#include <cstdlib>
#include <cstring>

#include "isolators/launch_spec.h"
#include "isolators/launch_spec_format.h"

namespace isolators {

namespace {

// Reads on until something does not fit; then everything reads as empty and ok() is false.
class Decoder {
 public:
  Decoder(char* at, size_t size) : at_(at), end_(at + size) {}

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
    if (!ok_ || left() <= length || strnlen(at_, length + 1) != length) {
      ok_ = false;
      return empty;
    }
    char* value = at_;
    at_ += length + 1;
    return value;
  }

  // How many elements follow, each of at least `smallest` encoded bytes: a count that cannot be
  // true is refused before anything is allocated for it.
  uint32_t count(size_t smallest) {
    const auto value = number<uint32_t>();
    if (ok_ && value > left() / smallest) ok_ = false;
    return ok_ ? value : 0;
  }

  char** list() {
    const uint32_t size = count(sizeof(uint32_t) + 1);
    auto** values = static_cast<char**>(std::calloc(size + 1, sizeof(char*)));
    if (values == nullptr) {
      ok_ = false;
      return nullptr;
    }
    for (uint32_t i = 0; i < size; ++i) values[i] = text();
    return values;
  }

 private:
  size_t left() const { return static_cast<size_t>(end_ - at_); }

  char* at_;
  char* end_;
  bool ok_ = true;
};

template <typename T>
T* allocate(uint32_t count) {
  return static_cast<T*>(std::calloc(count + 1, sizeof(T)));
}

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

bool decode_launch_spec(char* message, size_t size, LaunchSpecView* view) {
  if (size < kLaunchSpecHeaderSize || launch_spec_size(message) != size) return false;
  Decoder in(message + kLaunchSpecHeaderSize, size - kLaunchSpecHeaderSize);
  const auto bits = in.number<uint32_t>();
  view->controlling_terminal = bits & internal::kControllingTerminal;
  view->detach_mounts = bits & internal::kDetachMounts;
  view->has_credentials = bits & internal::kCredentials;
  view->mount_count = in.count(4 * (sizeof(uint32_t) + 1) + sizeof(uint64_t));
  view->mounts = allocate<MountView>(view->mount_count);
  if (view->mounts == nullptr) return false;
  for (uint32_t i = 0; i < view->mount_count; ++i) {
    MountView& mount = view->mounts[i];
    mount.source = in.text();
    mount.target = in.text();
    mount.type = in.text();
    mount.options = in.text();
    mount.flags = in.number<uint64_t>();
  }
  view->working_directory = in.text();
  view->uid = in.number<uint32_t>();
  view->gid = in.number<uint32_t>();
  view->group_count = in.count(sizeof(uint32_t));
  view->groups = allocate<gid_t>(view->group_count);
  if (view->groups == nullptr) return false;
  for (uint32_t i = 0; i < view->group_count; ++i) view->groups[i] = in.number<uint32_t>();
  view->executable = in.text();
  view->arguments = in.list();
  view->environment = in.list();
  return in.ok() && in.at_end();
}

}  // namespace isolators
