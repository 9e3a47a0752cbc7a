#include <cstring>

#include "isolators/launch_spec.h"
#include "isolators/launch_spec_format.h"

namespace isolators {

namespace {

class Encoder {
 public:
  void number(uint32_t value) { raw(value); }
  void number(uint64_t value) { raw(value); }

  void text(const std::string& value) {
    number(static_cast<uint32_t>(value.size()));
    out_.append(value.c_str(), value.size() + 1);
  }

  void list(const std::vector<std::string>& values) {
    number(static_cast<uint32_t>(values.size()));
    for (const auto& value : values) text(value);
  }

  std::string finish() {
    const auto size = static_cast<uint32_t>(out_.size());
    std::memcpy(out_.data() + sizeof(uint32_t), &size, sizeof(size));
    return std::move(out_);
  }

 private:
  template <typename T>
  void raw(T value) {
    out_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  std::string out_;
};

}  // namespace

std::string encode_launch_spec(const LaunchSpec& spec) {
  Encoder out;
  out.number(internal::kLaunchSpecMagic);
  out.number(uint32_t{0});  // the size, filled in at the end
  uint32_t bits = 0;
  if (spec.controlling_terminal) bits |= internal::kControllingTerminal;
  if (spec.detach_mounts) bits |= internal::kDetachMounts;
  if (spec.credentials) bits |= internal::kCredentials;
  out.number(bits);
  out.number(static_cast<uint32_t>(spec.mounts.size()));
  for (const auto& mount : spec.mounts) {
    out.text(mount.source);
    out.text(mount.target);
    out.text(mount.type);
    out.text(mount.options);
    out.number(mount.flags);
  }
  out.text(spec.working_directory);
  out.number(spec.trusted_prefix);
  const Credentials credentials = spec.credentials.value_or(Credentials{});
  out.number(static_cast<uint32_t>(credentials.uid));
  out.number(static_cast<uint32_t>(credentials.gid));
  out.number(static_cast<uint32_t>(credentials.groups.size()));
  for (gid_t group : credentials.groups) out.number(static_cast<uint32_t>(group));
  out.text(spec.executable);
  out.list(spec.arguments);
  out.list(spec.environment);
  return out.finish();
}

}  // namespace isolators
