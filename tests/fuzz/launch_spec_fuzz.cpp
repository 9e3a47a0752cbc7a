// Whatever comes through the pipe to the launch helper: it must not read or write where it should
// not, and what it takes must be what an agent could have sent.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "isolators/launch_spec.h"

namespace {

using isolators::LaunchSpec;
using isolators::LaunchSpecView;

LaunchSpec from_view(const LaunchSpecView& view) {
  LaunchSpec spec;
  spec.controlling_terminal = view.controlling_terminal;
  spec.detach_mounts = view.detach_mounts;
  for (uint32_t i = 0; i < view.mount_count; ++i) {
    const auto& mount = view.mounts[i];
    spec.mounts.push_back({mount.source, mount.target, mount.type, mount.options, mount.flags});
  }
  spec.working_directory = view.working_directory;
  spec.trusted_prefix = view.trusted_prefix;
  if (view.has_credentials) {
    spec.credentials.emplace();
    spec.credentials->uid = view.uid;
    spec.credentials->gid = view.gid;
    spec.credentials->groups.assign(view.groups, view.groups + view.group_count);
  }
  spec.executable = view.executable;
  for (char** at = view.arguments; *at != nullptr; ++at) spec.arguments.emplace_back(*at);
  for (char** at = view.environment; *at != nullptr; ++at) spec.environment.emplace_back(*at);
  return spec;
}

std::optional<LaunchSpec> decode(std::string message) {
  LaunchSpecView view{};
  std::optional<LaunchSpec> spec;
  const auto room = std::make_unique<char[]>(isolators::launch_spec_room(message.size()));
  if (isolators::decode_launch_spec(message.data(), message.size(), room.get(), &view)) {
    spec = from_view(view);
  }
  return spec;
}

void check(const std::string& message) {
  const auto spec = decode(message);
  if (!spec) return;
  const std::string encoded = isolators::encode_launch_spec(*spec);
  const auto again = decode(encoded);
  if (!again || isolators::encode_launch_spec(*again) != encoded) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string message(reinterpret_cast<const char*>(data), size);
  message.shrink_to_fit();
  check(message);
  // The same with a size that is right, so that more than the header is looked at.
  if (size >= isolators::kLaunchSpecHeaderSize) {
    const auto right = static_cast<uint32_t>(size);
    std::memcpy(message.data() + sizeof(uint32_t), &right, sizeof(right));
    check(message);
  }
  return 0;
}
