// From the body of a request to what the launch helper gets: whatever validation lets through has
// ids that are safe as paths, and a command that arrives as it was asked for.
//
// The first byte of the input tells the encoding: '{' and everything else but 'p' is JSON.
#include <google/protobuf/stubs/logging.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "containerizer/command.h"
#include "isolators/container_id.h"
#include "isolators/launch_spec.h"
#include "operator_api/call_table.h"
#include "operator_api/launch.h"
#include "proto/json_read.h"

namespace {

using isolators::ContainerId;
using operator_api::Call;

bool parse(std::string_view input, Call* call) {
  if (input.starts_with('p')) {
    return call->ParseFromArray(input.data() + 1, static_cast<int>(input.size()) - 1);
  }
  return proto::parse_json(input, call).has_value();
}

void check_id(const mesos::v1::ContainerID& message) {
  const ContainerId id = ContainerId::from_message(message);
  if (ContainerId::from_message(id.to_message()) != id) std::abort();
  const std::string path = "/" + id.to_path("containers") + "/";
  for (const char* bad : {"//", "/./", "/../"}) {
    if (path.find(bad) != std::string::npos) std::abort();
  }
  if (path.find('\0') != std::string::npos) std::abort();
}

// What the containerizer makes of it, as far as no process is started.
template <typename Wanted>
void check_launch(const Wanted& wanted) {
  check_id(wanted.container_id());
  const auto parameters = operator_api::launch_parameters(wanted);
  isolators::ContainerConfig config;
  *config.mutable_container_id() = parameters.id.to_message();
  *config.mutable_command_info() = parameters.command;
  if (parameters.container) *config.mutable_container_info() = *parameters.container;
  if (!containerizer::check_supported(config)) return;
  const auto info = containerizer::make_launch_info(config, nullptr);
  if (!info) return;
  isolators::LaunchSpec spec;
  containerizer::add_command(config, *info, &spec);
  std::string message = isolators::encode_launch_spec(spec);
  isolators::LaunchSpecView view{};
  const auto room = std::make_unique<char[]>(isolators::launch_spec_room(message.size()));
  if (!isolators::decode_launch_spec(message.data(), message.size(), room.get(), &view)) {
    std::abort();
  }
  if (spec.executable != view.executable) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const google::protobuf::LogSilencer quiet;
  Call call;
  if (!parse(std::string_view(reinterpret_cast<const char*>(data), size), &call)) return 0;
  const auto* rules = operator_api::find_rules(call.type());
  if (rules == nullptr) return 0;
  if (auto valid = operator_api::validate_call(call, *rules); !valid) {
    if (valid.error().kind != base::ErrorKind::kInvalid || valid.error().message.empty()) {
      std::abort();
    }
    return 0;
  }
  switch (call.type()) {
    case Call::LAUNCH_CONTAINER:
      check_launch(call.launch_container());
      break;
    case Call::LAUNCH_NESTED_CONTAINER:
      check_launch(call.launch_nested_container());
      break;
    case Call::LAUNCH_NESTED_CONTAINER_SESSION:
      check_launch(call.launch_nested_container_session());
      break;
    case Call::WAIT_CONTAINER:
      check_id(call.wait_container().container_id());
      break;
    case Call::REMOVE_CONTAINER:
      check_id(call.remove_container().container_id());
      break;
    case Call::ATTACH_CONTAINER_OUTPUT:
      check_id(call.attach_container_output().container_id());
      break;
    default:
      break;
  }
  return 0;
}
