#include "operator_api/authorization.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <vector>

namespace operator_api {

using agent::Executor;
using agent::Framework;
using agent::Object;
using isolators::ContainerId;
using mesos::v1::Resource;

namespace {

// The user that a task's or executor's container runs as, if its command says so, else the
// framework's.
std::optional<std::string> user_of(const Framework* framework, const Executor* executor) {
  if (executor != nullptr && executor->info.command().has_user()) {
    return executor->info.command().user();
  }
  if (framework != nullptr) return framework->info.user();
  return std::nullopt;
}

// The member of Call that belongs to the call's type.
const google::protobuf::Message& message_of(const Call& call, const CallRules& rules) {
  const auto* field = Call::descriptor()->FindFieldByName(member_name(rules.type));
  return Call::GetReflection()->GetMessage(call, field);
}

// A member that is a message itself; its default instance if it is not there.
template <typename Member>
const Member& member_of(const google::protobuf::Message& message, const std::string& name) {
  const auto* field = message.GetDescriptor()->FindFieldByName(name);
  return dynamic_cast<const Member&>(message.GetReflection()->GetMessage(message, field));
}

bool may_launch(const Context& context, Action action, const ContainerId& id,
                const mesos::v1::CommandInfo& command) {
  const auto owner = agent::find_executor(context.agent.state, id);
  Object object{.parent_user = user_of(owner.framework, owner.executor), .container = &id};
  if (command.has_user()) object.name = command.user();
  return may(context, action, object);
}

void append(const google::protobuf::RepeatedPtrField<Resource>& resources,
            std::vector<Resource>* to) {
  to->insert(to->end(), resources.begin(), resources.end());
}

// What the operation takes; what it makes of that may have other roles.
std::vector<Resource> consumed_resources(const mesos::v1::Offer::Operation& operation) {
  std::vector<Resource> resources;
  append(operation.reserve().source(), &resources);
  if (resources.empty()) {
    append(operation.reserve().resources(), &resources);
    for (auto& resource : resources) {
      if (resource.reservations_size() > 0) resource.mutable_reservations()->RemoveLast();
    }
  }
  append(operation.unreserve().resources(), &resources);
  append(operation.create().volumes(), &resources);
  append(operation.destroy().volumes(), &resources);
  if (operation.has_grow_volume()) {
    resources.push_back(operation.grow_volume().volume());
    resources.push_back(operation.grow_volume().addition());
  }
  if (operation.has_shrink_volume()) resources.push_back(operation.shrink_volume().volume());
  if (operation.has_create_disk()) resources.push_back(operation.create_disk().source());
  if (operation.has_destroy_disk()) resources.push_back(operation.destroy_disk().source());
  return resources;
}

bool may_view_roles(const Context& context, const Resource& resource) {
  if (resource.has_role() && resource.role() != "*" && !may_view_role(context, resource.role())) {
    return false;
  }
  if (resource.allocation_info().has_role() &&
      !may_view_role(context, resource.allocation_info().role())) {
    return false;
  }
  return std::ranges::all_of(resource.reservations(), [&context](const auto& reservation) {
    return may_view_role(context, reservation.role());
  });
}

}  // namespace

bool may(const Context& context, Action action, const Object& object) {
  const auto& authorizer = context.agent.authorizer;
  return !authorizer || authorizer->allow(context.principal, action, object);
}

bool may_call(const Context& context, const CallRules& rules, const Call& call) {
  if (!context.agent.authorizer) return true;
  switch (rules.check) {
    case Check::kNothing:
    case Check::kInHandler:
      return true;
    case Check::kAction:
      return may(context, rules.action);
    case Check::kContainer:
    case Check::kLaunch:
      break;
  }
  const auto& message = message_of(call, rules);
  const auto id =
      ContainerId::from_message(member_of<mesos::v1::ContainerID>(message, "container_id"));
  if (!id.has_parent()) return may(context, rules.root_action, {.container = &id});
  if (rules.check == Check::kContainer) return may_use_container(context, rules.action, id);
  return may_launch(context, rules.action, id,
                    member_of<mesos::v1::CommandInfo>(message, "command"));
}

bool may_use_container(const Context& context, Action action, const ContainerId& id) {
  if (!context.agent.authorizer) return true;
  const auto owner = agent::find_executor(context.agent.state, id);
  const auto user = user_of(owner.framework, owner.executor);
  return may(context, action, {.name = user.value_or(std::string(id.value())), .container = &id});
}

bool may_view(const Context& context, const Framework& framework) {
  return may(context, Action::kViewFramework, {.name = user_of(&framework, nullptr)});
}

bool may_view(const Context& context, const Framework& framework, const Executor& executor) {
  return may(context, Action::kViewExecutor, {.name = user_of(&framework, &executor)});
}

bool may_view(const Context& context, const Framework& framework, const mesos::v1::Task& task) {
  return may(context, Action::kViewTask,
             {.name = task.has_user() ? task.user() : user_of(&framework, nullptr)});
}

bool may_view(const Context& context, const Framework& framework, const mesos::v1::TaskInfo& task) {
  for (const auto* command : {&task.command(), &task.executor().command()}) {
    if (command->has_user()) return may(context, Action::kViewTask, {.name = command->user()});
  }
  return may(context, Action::kViewTask, {.name = user_of(&framework, nullptr)});
}

bool may_view(const Context& context, const mesos::v1::Operation& operation) {
  if (!context.agent.authorizer) return true;
  return std::ranges::all_of(
      consumed_resources(operation.info()),
      [&context](const Resource& resource) { return may_view_roles(context, resource); });
}

bool may_view_role(const Context& context, const std::string& role) {
  return may(context, Action::kViewRole, {.name = role});
}

bool may_view_container(const Context& context, const ContainerId& id) {
  if (!context.agent.authorizer) return true;  // before looking for whom it belongs to
  const auto owner = agent::find_executor(context.agent.state, id);
  if (!owner) return may(context, Action::kViewStandaloneContainer, {.container = &id});
  return may(context, Action::kViewContainer, {.name = user_of(owner.framework, owner.executor)});
}

bool may_access(const Context& context, const agent::Attachment& attachment) {
  if (attachment.is_log) return may(context, Action::kAccessMesosLog);
  // Of those that are still there; a framework that has gone has no user.
  const auto& frameworks = context.agent.state.frameworks;
  const auto framework = frameworks.find(attachment.framework_id);
  if (framework == frameworks.end()) return may(context, Action::kAccessSandbox);
  const auto& executors = framework->second.executors;
  const auto executor = executors.find(attachment.executor_id);
  return may(context, Action::kAccessSandbox,
             {.name = user_of(&framework->second,
                              executor == executors.end() ? nullptr : &executor->second)});
}

}  // namespace operator_api
