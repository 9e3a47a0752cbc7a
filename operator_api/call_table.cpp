#include "operator_api/call_table.h"

#include <google/protobuf/message.h>

#include "base/strings.h"
#include "operator_api/handlers.h"
#include "operator_api/validation.h"

namespace operator_api {

using agent::Action;
using base::concat;
using base::Status;

namespace {

constexpr CallRules kCalls[] = {
    {.type = Call::GET_HEALTH, .handle = get_health},
    {.type = Call::GET_FLAGS,
     .check = Check::kAction,
     .action = Action::kViewFlags,
     .handle = get_flags},
    {.type = Call::GET_VERSION, .handle = get_version},
    {.type = Call::GET_METRICS, .needs_message = true, .handle = get_metrics},
    {.type = Call::GET_LOGGING_LEVEL, .handle = get_logging_level},
    {.type = Call::SET_LOGGING_LEVEL,
     .needs_message = true,
     .check = Check::kAction,
     .action = Action::kSetLogLevel,
     .handle = set_logging_level},
    {.type = Call::LIST_FILES,
     .needs_message = true,
     .check = Check::kInHandler,
     .handle = list_files},
    {.type = Call::READ_FILE,
     .needs_message = true,
     .check = Check::kInHandler,
     .handle = read_file},
    {.type = Call::GET_STATE, .check = Check::kInHandler, .handle = get_state},
    {.type = Call::GET_CONTAINERS, .check = Check::kInHandler, .handle = get_containers},
    {.type = Call::GET_FRAMEWORKS, .check = Check::kInHandler, .handle = get_frameworks},
    {.type = Call::GET_EXECUTORS, .check = Check::kInHandler, .handle = get_executors},
    {.type = Call::GET_TASKS, .check = Check::kInHandler, .handle = get_tasks},
    {.type = Call::LAUNCH_NESTED_CONTAINER,
     .needs_message = true,
     .validate = validate_launch_nested_container,
     .check = Check::kLaunch,
     .action = Action::kLaunchNestedContainer,
     .root_action = Action::kLaunchStandaloneContainer,
     .handle = launch_nested_container},
    {.type = Call::WAIT_NESTED_CONTAINER,
     .needs_message = true,
     .validate = validate_wait_nested_container,
     .check = Check::kContainer,
     .action = Action::kWaitNestedContainer,
     .root_action = Action::kWaitStandaloneContainer,
     .handle = wait_nested_container},
    {.type = Call::KILL_NESTED_CONTAINER,
     .needs_message = true,
     .validate = validate_kill_nested_container,
     .check = Check::kContainer,
     .action = Action::kKillNestedContainer,
     .root_action = Action::kKillStandaloneContainer,
     .handle = kill_nested_container},
    {.type = Call::LAUNCH_NESTED_CONTAINER_SESSION,
     .needs_message = true,
     .streams_response = true,
     .validate = validate_launch_nested_container_session,
     .check = Check::kLaunch,
     .action = Action::kLaunchNestedContainerSession,
     .root_action = Action::kLaunchStandaloneContainer,
     .handle = launch_nested_container_session},
    {.type = Call::ATTACH_CONTAINER_INPUT,
     .needs_message = true,
     .streams_request = true,
     .validate = validate_attach_container_input,
     .check = Check::kInHandler,
     .handle = attach_container_input},
    {.type = Call::ATTACH_CONTAINER_OUTPUT,
     .needs_message = true,
     .streams_response = true,
     .validate = validate_attach_container_output,
     .check = Check::kInHandler,
     .handle = attach_container_output},
    {.type = Call::GET_AGENT, .handle = get_agent},
    {.type = Call::REMOVE_NESTED_CONTAINER,
     .needs_message = true,
     .validate = validate_remove_nested_container,
     .check = Check::kContainer,
     .action = Action::kRemoveNestedContainer,
     .root_action = Action::kRemoveStandaloneContainer,
     .handle = remove_nested_container},
    {.type = Call::LAUNCH_CONTAINER,
     .needs_message = true,
     .validate = validate_launch_container,
     .check = Check::kLaunch,
     .action = Action::kLaunchNestedContainer,
     .root_action = Action::kLaunchStandaloneContainer,
     .handle = launch_container},
    {.type = Call::WAIT_CONTAINER,
     .needs_message = true,
     .validate = validate_wait_container,
     .check = Check::kContainer,
     .action = Action::kWaitNestedContainer,
     .root_action = Action::kWaitStandaloneContainer,
     .handle = wait_container},
    {.type = Call::KILL_CONTAINER,
     .needs_message = true,
     .validate = validate_kill_container,
     .check = Check::kContainer,
     .action = Action::kKillNestedContainer,
     .root_action = Action::kKillStandaloneContainer,
     .handle = kill_container},
    {.type = Call::REMOVE_CONTAINER,
     .needs_message = true,
     .validate = validate_remove_container,
     .check = Check::kContainer,
     .action = Action::kRemoveNestedContainer,
     .root_action = Action::kRemoveStandaloneContainer,
     .handle = remove_container},
    {.type = Call::GET_RESOURCE_PROVIDERS,
     .check = Check::kInHandler,
     .handle = get_resource_providers},
    {.type = Call::ADD_RESOURCE_PROVIDER_CONFIG,
     .needs_message = true,
     .validate = validate_add_resource_provider_config,
     .check = Check::kAction,
     .action = Action::kModifyResourceProviderConfig,
     .handle = add_resource_provider_config},
    {.type = Call::UPDATE_RESOURCE_PROVIDER_CONFIG,
     .needs_message = true,
     .validate = validate_update_resource_provider_config,
     .check = Check::kAction,
     .action = Action::kModifyResourceProviderConfig,
     .handle = update_resource_provider_config},
    {.type = Call::REMOVE_RESOURCE_PROVIDER_CONFIG,
     .needs_message = true,
     .check = Check::kAction,
     .action = Action::kModifyResourceProviderConfig,
     .handle = remove_resource_provider_config},
    {.type = Call::PRUNE_IMAGES,
     .check = Check::kAction,
     .action = Action::kPruneImages,
     .handle = prune_images},
    {.type = Call::GET_OPERATIONS, .check = Check::kInHandler, .handle = get_operations},
    {.type = Call::MARK_RESOURCE_PROVIDER_GONE,
     .needs_message = true,
     .check = Check::kAction,
     .action = Action::kMarkResourceProviderGone,
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
