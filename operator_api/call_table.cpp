#include "operator_api/call_table.h"

#include <google/protobuf/message.h>

#include "base/strings.h"
#include "operator_api/handlers.h"
#include "operator_api/validation.h"

namespace operator_api {

using base::concat;
using base::Status;

namespace {

constexpr CallRules kCalls[] = {
    {.type = Call::GET_HEALTH, .handle = get_health},
    {.type = Call::GET_FLAGS, .handle = get_flags},
    {.type = Call::GET_VERSION, .handle = get_version},
    {.type = Call::GET_METRICS, .needs_message = true, .handle = get_metrics},
    {.type = Call::GET_LOGGING_LEVEL, .handle = get_logging_level},
    {.type = Call::SET_LOGGING_LEVEL, .needs_message = true, .handle = set_logging_level},
    {.type = Call::LIST_FILES, .needs_message = true, .handle = list_files},
    {.type = Call::READ_FILE, .needs_message = true, .handle = read_file},
    {.type = Call::GET_STATE, .handle = get_state},
    {.type = Call::GET_CONTAINERS, .handle = get_containers},
    {.type = Call::GET_FRAMEWORKS, .handle = get_frameworks},
    {.type = Call::GET_EXECUTORS, .handle = get_executors},
    {.type = Call::GET_TASKS, .handle = get_tasks},
    {.type = Call::LAUNCH_NESTED_CONTAINER,
     .needs_message = true,
     .validate = validate_launch_nested_container,
     .handle = launch_nested_container},
    {.type = Call::WAIT_NESTED_CONTAINER,
     .needs_message = true,
     .validate = validate_wait_nested_container,
     .handle = wait_nested_container},
    {.type = Call::KILL_NESTED_CONTAINER,
     .needs_message = true,
     .validate = validate_kill_nested_container,
     .handle = kill_nested_container},
    {.type = Call::LAUNCH_NESTED_CONTAINER_SESSION,
     .needs_message = true,
     .streams_response = true,
     .validate = validate_launch_nested_container_session,
     .handle = launch_nested_container_session},
    {.type = Call::ATTACH_CONTAINER_INPUT,
     .needs_message = true,
     .streams_request = true,
     .validate = validate_attach_container_input,
     .handle = attach_container_input},
    {.type = Call::ATTACH_CONTAINER_OUTPUT,
     .needs_message = true,
     .streams_response = true,
     .validate = validate_attach_container_output,
     .handle = attach_container_output},
    {.type = Call::GET_AGENT, .handle = get_agent},
    {.type = Call::REMOVE_NESTED_CONTAINER,
     .needs_message = true,
     .validate = validate_remove_nested_container,
     .handle = remove_nested_container},
    {.type = Call::LAUNCH_CONTAINER,
     .needs_message = true,
     .validate = validate_launch_container,
     .handle = launch_container},
    {.type = Call::WAIT_CONTAINER,
     .needs_message = true,
     .validate = validate_wait_container,
     .handle = wait_container},
    {.type = Call::KILL_CONTAINER,
     .needs_message = true,
     .validate = validate_kill_container,
     .handle = kill_container},
    {.type = Call::REMOVE_CONTAINER,
     .needs_message = true,
     .validate = validate_remove_container,
     .handle = remove_container},
    {.type = Call::GET_RESOURCE_PROVIDERS, .handle = get_resource_providers},
    {.type = Call::ADD_RESOURCE_PROVIDER_CONFIG,
     .needs_message = true,
     .validate = validate_add_resource_provider_config,
     .handle = add_resource_provider_config},
    {.type = Call::UPDATE_RESOURCE_PROVIDER_CONFIG,
     .needs_message = true,
     .validate = validate_update_resource_provider_config,
     .handle = update_resource_provider_config},
    {.type = Call::REMOVE_RESOURCE_PROVIDER_CONFIG,
     .needs_message = true,
     .handle = remove_resource_provider_config},
    {.type = Call::PRUNE_IMAGES, .handle = prune_images},
    {.type = Call::GET_OPERATIONS, .handle = get_operations},
    {.type = Call::MARK_RESOURCE_PROVIDER_GONE,
     .needs_message = true,
     .handle = mark_resource_provider_gone},
};

}  // namespace

std::span<const CallRules> call_table() { return kCalls; }

const CallRules* find_rules(Call::Type type) {
  for (const auto& rules : kCalls) {
    if (rules.type == type) return &rules;
  }
  return nullptr;
}

std::string member_name(Call::Type type) { return base::to_lower(Call::Type_Name(type)); }

Status validate_call(const Call& call, const CallRules& rules) {
  if (rules.needs_message) {
    const std::string member = member_name(rules.type);
    const auto* field = Call::descriptor()->FindFieldByName(member);
    if (!Call::GetReflection()->HasField(call, field)) {
      return base::fail(base::ErrorKind::kInvalid,
                        concat("Expecting '", member, "' to be present"));
    }
  }
  return rules.validate == nullptr ? Status() : rules.validate(call);
}

}  // namespace operator_api
