#include "agent/authorizer.h"

#include <algorithm>
#include <array>

namespace agent {

namespace {

// What the claims of a token imply.
enum class Implied { kNothing, kOwnTree, kOwnPrefix };

struct Rule {
  Action action;
  std::string_view list;
  Implied implied = Implied::kNothing;
  std::string_view parent_list = {};  // one more list, which sees Object::parent_user
};

constexpr auto kTree = Implied::kOwnTree;
constexpr auto kPrefix = Implied::kOwnPrefix;

// In the order of Action.
constexpr std::array kRules = std::to_array<Rule>({
    {Action::kAccessMesosLog, "access_mesos_logs"},
    {Action::kAccessSandbox, "access_sandboxes"},
    {Action::kAttachContainerInput, "attach_containers_input"},
    {Action::kAttachContainerOutput, "attach_containers_output", kTree},
    {Action::kGetEndpoint, "get_endpoints"},
    {Action::kKillNestedContainer, "kill_nested_containers", kTree},
    {Action::kKillStandaloneContainer, "kill_standalone_containers", kPrefix},
    {Action::kLaunchNestedContainer, "launch_nested_containers_as_user", kTree,
     "launch_nested_containers_under_parent_with_user"},
    {Action::kLaunchNestedContainerSession, "launch_nested_container_sessions_as_user", kTree,
     "launch_nested_container_sessions_under_parent_with_user"},
    {Action::kLaunchStandaloneContainer, "launch_standalone_containers", kPrefix},
    {Action::kMarkResourceProviderGone, "mark_resource_providers_gone"},
    {Action::kModifyResourceProviderConfig, "modify_resource_provider_configs"},
    {Action::kPruneImages, "prune_images"},
    {Action::kRemoveNestedContainer, "remove_nested_containers", kTree},
    {Action::kRemoveStandaloneContainer, "remove_standalone_containers", kPrefix},
    {Action::kRunTask, "run_tasks"},
    {Action::kSetLogLevel, "set_log_level"},
    {Action::kViewContainer, "view_containers"},
    {Action::kViewExecutor, "view_executors"},
    {Action::kViewFlags, "view_flags"},
    {Action::kViewFramework, "view_frameworks"},
    {Action::kViewResourceProvider, "view_resource_providers"},
    {Action::kViewRole, "view_roles"},
    {Action::kViewStandaloneContainer, "view_standalone_containers", kPrefix},
    {Action::kViewTask, "view_tasks"},
    {Action::kWaitNestedContainer, "wait_nested_containers", kTree},
    {Action::kWaitStandaloneContainer, "wait_standalone_containers", kPrefix},
});

const Rule& rule_of(Action action) { return kRules[static_cast<size_t>(action)]; }

static_assert([] {
  for (size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<size_t>(kRules[i].action) != i) return false;
  }
  return kRules.back().action == Action::kWaitStandaloneContainer;
}());

bool implies(const http::Claims& claims, Implied implied, const Object& object) {
  if (implied == Implied::kNothing || object.container == nullptr) return false;
  const auto claim = claims.find(implied == Implied::kOwnTree ? "cid" : "cid_prefix");
  if (claim == claims.end() || claim->second.empty()) return false;
  const std::string root = object.container->root().to_string();
  return implied == Implied::kOwnTree ? root == claim->second : root.starts_with(claim->second);
}

}  // namespace

bool Authorizer::allow(const std::optional<http::Principal>& principal, Action action,
                       const Object& object) const {
  const Rule& rule = rule_of(action);
  const bool by_claims = principal && !principal->value;
  if (by_claims) return implies(principal->claims, rule.implied, object);
  const auto name = principal ? principal->value : std::nullopt;
  if (!acls_.allow(rule.list, name, object.name)) return false;
  return rule.parent_list.empty() || acls_.allow(rule.parent_list, name, object.parent_user);
}

}  // namespace agent
