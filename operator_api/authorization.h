// What the sender of a request may do and see. Each question is put to the authorizer with the
// object that Apache Mesos would name; without an authorizer everything is allowed.
#pragma once

#include "agent/attachments.h"
#include "agent/authorizer.h"
#include "agent/state.h"
#include "operator_api/call_table.h"
#include "operator_api/context.h"

namespace operator_api {

using agent::Action;

bool may(const Context& context, Action action, const agent::Object& object = {});

// Whether the call may be made at all, by its row of the table.
bool may_call(const Context& context, const CallRules& rules, const Call& call);

// Whether the action on a nested container, or on a container that is attached to, is allowed: it
// is up to the user of the executor whose container is the root, or, without one, to the id.
bool may_use_container(const Context& context, Action action, const isolators::ContainerId& id);

// --- What is left out of answers ---

bool may_view(const Context& context, const agent::Framework& framework);
bool may_view(const Context& context, const agent::Framework& framework,
              const agent::Executor& executor);
bool may_view(const Context& context, const agent::Framework& framework,
              const mesos::v1::Task& task);
bool may_view(const Context& context, const agent::Framework& framework,
              const mesos::v1::TaskInfo& task);
// Every role that the operation's resources are reserved for or allocated to.
bool may_view(const Context& context, const mesos::v1::Operation& operation);
bool may_view_role(const Context& context, const std::string& role);
// A container by its root: an executor's, or a standalone one.
bool may_view_container(const Context& context, const isolators::ContainerId& id);

// Whether what is attached, and all below it, may be listed and read.
bool may_access(const Context& context, const agent::Attachment& attachment);

}  // namespace operator_api
