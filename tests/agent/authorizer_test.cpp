#include "agent/authorizer.h"

#include <gtest/gtest.h>

#include <set>

#include "base/strings.h"

namespace {

using agent::Acls;
using agent::Action;
using agent::Authorizer;
using base::concat;
using http::Principal;
using isolators::ContainerId;

const std::optional<Principal> kAnn = Principal{"ann", {}};
const std::optional<Principal> kNobody = std::nullopt;

struct Row {
  Action action;
  std::vector<std::string> lists;
};

// Which lists decide about an action.
const std::vector<Row> kRows = {
    {Action::kAccessMesosLog, {"access_mesos_logs"}},
    {Action::kAccessSandbox, {"access_sandboxes"}},
    {Action::kAttachContainerInput, {"attach_containers_input"}},
    {Action::kAttachContainerOutput, {"attach_containers_output"}},
    {Action::kGetEndpoint, {"get_endpoints"}},
    {Action::kKillNestedContainer, {"kill_nested_containers"}},
    {Action::kKillStandaloneContainer, {"kill_standalone_containers"}},
    {Action::kLaunchNestedContainer,
     {"launch_nested_containers_as_user", "launch_nested_containers_under_parent_with_user"}},
    {Action::kLaunchNestedContainerSession,
     {"launch_nested_container_sessions_as_user",
      "launch_nested_container_sessions_under_parent_with_user"}},
    {Action::kLaunchStandaloneContainer, {"launch_standalone_containers"}},
    {Action::kMarkResourceProviderGone, {"mark_resource_providers_gone"}},
    {Action::kModifyResourceProviderConfig, {"modify_resource_provider_configs"}},
    {Action::kPruneImages, {"prune_images"}},
    {Action::kRemoveNestedContainer, {"remove_nested_containers"}},
    {Action::kRemoveStandaloneContainer, {"remove_standalone_containers"}},
    {Action::kRunTask, {"run_tasks"}},
    {Action::kSetLogLevel, {"set_log_level"}},
    {Action::kViewContainer, {"view_containers"}},
    {Action::kViewExecutor, {"view_executors"}},
    {Action::kViewFlags, {"view_flags"}},
    {Action::kViewFramework, {"view_frameworks"}},
    {Action::kViewResourceProvider, {"view_resource_providers"}},
    {Action::kViewRole, {"view_roles"}},
    {Action::kViewStandaloneContainer, {"view_standalone_containers"}},
    {Action::kViewTask, {"view_tasks"}},
    {Action::kWaitNestedContainer, {"wait_nested_containers"}},
    {Action::kWaitStandaloneContainer, {"wait_standalone_containers"}},
};

// Strict lists in which these let ann do everything.
Authorizer make_authorizer(const std::vector<std::string>& lists) {
  std::string json = R"({"permissive":false)";
  for (const std::string& list : lists) {
    const auto* known = agent::find_acl_list(list);
    if (known == nullptr) {
      ADD_FAILURE() << "there is no list " << list;
      continue;
    }
    json += concat(R"(,")", list, R"(":[{"principals":{"values":["ann"]},")", known->objects,
                   R"(":{"type":"ANY"}}])");
  }
  return Authorizer(*Acls::parse(json + "}"));
}

TEST(Authorizer, EachActionIsUpToItsOwnLists) {
  std::set<Action> tried;
  for (const Row& row : kRows) {
    const Authorizer authorizer = make_authorizer(row.lists);
    for (const Row& other : kRows) {
      const bool same = row.action == other.action;
      EXPECT_EQ(same, authorizer.allow(kAnn, other.action, {.name = "x"})) << row.lists[0];
      EXPECT_EQ(same, authorizer.allow(kAnn, other.action, {})) << row.lists[0];
      EXPECT_FALSE(authorizer.allow(Principal{"bob", {}}, other.action, {.name = "x"}));
      EXPECT_FALSE(authorizer.allow(kNobody, other.action, {.name = "x"}));
    }
    // All lists of an action must allow it.
    for (size_t i = 0; row.lists.size() > 1 && i < row.lists.size(); ++i) {
      EXPECT_FALSE(make_authorizer({row.lists[i]}).allow(kAnn, row.action, {.name = "x"}));
    }
    tried.insert(row.action);
  }
  EXPECT_EQ(static_cast<size_t>(Action::kWaitStandaloneContainer) + 1, tried.size());
}

TEST(Authorizer, ALaunchIsAboutTwoUsers) {
  const Authorizer authorizer(*Acls::parse(R"({"permissive":false,
      "launch_nested_containers_as_user":
          [{"principals":{"values":["ann"]},"users":{"values":["child"]}}],
      "launch_nested_containers_under_parent_with_user":
          [{"principals":{"values":["ann"]},"users":{"values":["parent"]}}]})"));
  const auto may = [&](std::optional<std::string> user, std::optional<std::string> parent) {
    return authorizer.allow(kAnn, Action::kLaunchNestedContainer,
                            {.name = std::move(user), .parent_user = std::move(parent)});
  };
  EXPECT_TRUE(may("child", "parent"));
  EXPECT_FALSE(may("parent", "child"));
  EXPECT_FALSE(may("child", "other"));
  EXPECT_FALSE(may(std::nullopt, "parent"));
  EXPECT_FALSE(may("child", std::nullopt));
}

// What tokens imply, on lists that allow everything: nothing else is allowed.
TEST(Authorizer, ClaimsDecideForWhoHasNoName) {
  const Authorizer authorizer(*Acls::parse("{}"));
  const std::set<Action> of_executors = {
      Action::kAttachContainerOutput, Action::kKillNestedContainer,
      Action::kLaunchNestedContainer, Action::kLaunchNestedContainerSession,
      Action::kRemoveNestedContainer, Action::kWaitNestedContainer};
  const std::set<Action> of_providers = {
      Action::kKillStandaloneContainer, Action::kLaunchStandaloneContainer,
      Action::kRemoveStandaloneContainer, Action::kViewStandaloneContainer,
      Action::kWaitStandaloneContainer};
  const Principal executor{std::nullopt, {{"cid", "root"}, {"eid", "e"}, {"fid", "f"}}};
  const Principal provider{std::nullopt, {{"cid_prefix", "org--"}}};
  const Principal other{std::nullopt, {{"sub", "ann"}}};
  const Principal empty{std::nullopt, {{"cid", ""}, {"cid_prefix", ""}}};
  const Principal named{"ann", {{"cid", "elsewhere"}}};

  const auto own = ContainerId::root_of("root");
  const auto nested = own.child("a").child("b");
  const auto similar = ContainerId::root_of("root2").child("root");
  const auto provided = ContainerId::root_of("org--1");
  for (const Row& row : kRows) {
    const auto may = [&](const Principal& principal, const ContainerId* container) {
      return authorizer.allow(principal, row.action, {.name = "root", .container = container});
    };
    const std::string& name = row.lists[0];
    const bool executors = of_executors.contains(row.action);
    EXPECT_EQ(executors, may(executor, &own)) << name;
    EXPECT_EQ(executors, may(executor, &nested)) << name;
    EXPECT_FALSE(may(executor, &similar)) << name;
    EXPECT_FALSE(may(executor, &provided)) << name;
    EXPECT_FALSE(may(executor, nullptr)) << name;
    EXPECT_EQ(of_providers.contains(row.action), may(provider, &provided)) << name;
    EXPECT_FALSE(may(provider, &own)) << name;
    for (const auto* container : {&own, &nested, &provided}) {
      EXPECT_FALSE(may(other, container)) << name;
      EXPECT_FALSE(may(empty, container)) << name;
      EXPECT_TRUE(may(named, container)) << name;
    }
  }
}

}  // namespace
