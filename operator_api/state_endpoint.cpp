// /state. Unlike /api/v1 it keeps the older vocabulary: slave_id.

#include <algorithm>
#include <map>

#include "agent/agent_info.h"
#include "agent/resource_summary.h"
#include "agent/version.h"
#include "base/strings.h"
#include "operator_api/authorization.h"
#include "operator_api/endpoints.h"
#include "proto/json_builder.h"

namespace operator_api {

using agent::Executor;
using agent::Framework;
using base::concat;
using base::Task;
using mesos::v1::Resource;
using proto::JsonBuilder;

namespace {

using Resources = std::vector<const Resource*>;

template <typename List>
Resources pointers_to(const List& list) {
  Resources pointers;
  for (const Resource& resource : list) pointers.push_back(&resource);
  return pointers;
}

// --- Resources ---

// The four that are always there come first, in Mesos's order.
void add_resources(JsonBuilder& json, std::string_view name, const Resources& resources) {
  auto summary = agent::summarize(resources);
  json.key(name).begin_object();
  for (const char* always : {"disk", "mem", "gpus", "cpus"}) {
    json.member(always, summary.scalars[always]);
    summary.scalars.erase(always);
  }
  for (const auto& [scalar, value] : summary.scalars) json.member(scalar, value);
  for (const auto& [ranges, value] : summary.ranges) json.member(ranges, agent::to_text(value));
  for (const auto& [set, value] : summary.sets) json.member(set, agent::to_text(value));
  json.end_object();
}

// The resource in the form that clients without refined reservations understand as well.
Resource endpoint_form(const Resource& resource) {
  Resource form = resource;
  if (resource.reservations_size() == 0) form.set_role("*");
  if (resource.reservations_size() == 1) {
    const auto& reservation = resource.reservations(0);
    form.set_role(reservation.role());
    if (reservation.type() == Resource::ReservationInfo::DYNAMIC) {
      *form.mutable_reservation() = reservation;
      form.mutable_reservation()->clear_type();
      form.mutable_reservation()->clear_role();
    }
  }
  return form;
}

struct ByReservation {
  Resources unreserved;
  std::map<std::string, Resources> reserved;  // by role
};

// Of the reserved ones, those whose roles the sender may see.
ByReservation split_by_reservation(const Context& context, const Resources& resources) {
  ByReservation split;
  for (const Resource* resource : resources) {
    const std::string role = agent::reserved_role(*resource);
    if (role.empty()) {
      split.unreserved.push_back(resource);
    } else if (may_view_role(context, role)) {
      split.reserved[role].push_back(resource);
    }
  }
  return split;
}

void add_reserved(JsonBuilder& json, std::string_view name, const ByReservation& split) {
  json.key(name).begin_object();
  for (const auto& [role, resources] : split.reserved) add_resources(json, role, resources);
  json.end_object();
}

void add_in_full(JsonBuilder& json, std::string_view name, const Resources& resources) {
  json.key(name).begin_array();
  for (const Resource* resource : resources) json.value(endpoint_form(*resource));
  json.end_array();
}

// The role that the resources are allocated to.
template <typename List>
std::string allocated_role(const List& resources) {
  for (const Resource& resource : resources) {
    if (resource.allocation_info().has_role()) return resource.allocation_info().role();
  }
  return "*";
}

// --- Frameworks and what they run ---

void add_labels(JsonBuilder& json, const mesos::v1::Labels& labels) {
  json.key("labels").begin_array();
  for (const auto& label : labels.labels()) json.value(label);
  json.end_array();
}

void add_status(JsonBuilder& json, const mesos::v1::TaskStatus& status) {
  json.begin_object();
  json.member("state", mesos::v1::TaskState_Name(status.state()));
  json.member("timestamp", status.timestamp());
  if (status.has_labels()) add_labels(json, status.labels());
  if (status.has_container_status()) {
    mesos::v1::ContainerStatus shown = status.container_status();
    shown.clear_executor_pid();
    json.member("container_status", shown);
  }
  if (status.has_healthy()) json.member("healthy", status.healthy());
  json.end_object();
}

void add_task(JsonBuilder& json, const mesos::v1::Task& task) {
  json.begin_object();
  json.member("id", task.task_id().value());
  json.member("name", task.name());
  json.member("framework_id", task.framework_id().value());
  json.member("executor_id", task.executor_id().value());
  json.member("slave_id", task.agent_id().value());
  json.member("state", mesos::v1::TaskState_Name(task.state()));
  add_resources(json, "resources", pointers_to(task.resources()));
  if (task.limits_size() > 0) {
    const std::map<std::string, mesos::v1::Value::Scalar> limits(task.limits().begin(),
                                                                 task.limits().end());
    json.key("limits").begin_object();
    for (const auto& [name, limit] : limits) json.member(name, limit.value());
    json.end_object();
  }
  json.member("role", allocated_role(task.resources()));
  json.key("statuses").begin_array();
  for (const auto& status : task.statuses()) add_status(json, status);
  json.end_array();
  if (task.has_user()) json.member("user", task.user());
  if (task.has_labels()) add_labels(json, task.labels());
  if (task.has_discovery()) json.member("discovery", task.discovery());
  if (task.has_container()) json.member("container", task.container());
  if (task.has_health_check()) json.member("health_check", task.health_check());
  json.end_object();
}

void add_queued_task(JsonBuilder& json, const mesos::v1::TaskInfo& task) {
  json.begin_object();
  json.member("id", task.task_id().value());
  json.member("name", task.name());
  json.member("slave_id", task.agent_id().value());
  add_resources(json, "resources", pointers_to(task.resources()));
  json.member("role", allocated_role(task.resources()));
  if (task.has_command()) json.member("command", task.command());
  if (task.has_executor()) json.member("executor_id", task.executor().executor_id().value());
  if (task.has_discovery()) json.member("discovery", task.discovery());
  json.end_object();
}

void add_executor(JsonBuilder& json, const Context& context, const Framework& framework,
                  const Executor& executor) {
  if (!may_view(context, framework, executor)) return;
  const auto add_all = [&](const auto& tasks) {
    for (const auto& task : tasks) {
      if (may_view(context, framework, task)) add_task(json, task);
    }
  };
  const auto& info = executor.info;
  json.begin_object();
  json.member("id", info.executor_id().value());
  json.member("name", info.name());
  json.member("source", info.source());
  json.member("container", executor.container_id.to_string());
  json.member("directory", executor.sandbox);
  add_resources(json, "resources", pointers_to(agent::allocated_resources(executor)));
  if (info.resources_size() > 0) json.member("role", allocated_role(info.resources()));
  if (info.has_labels()) add_labels(json, info.labels());
  if (info.has_type()) json.member("type", mesos::v1::ExecutorInfo::Type_Name(info.type()));
  json.key("tasks").begin_array();
  add_all(executor.launched_tasks);
  json.end_array().key("queued_tasks").begin_array();
  for (const auto& task : executor.queued_tasks) {
    if (may_view(context, framework, task)) add_queued_task(json, task);
  }
  json.end_array().key("completed_tasks").begin_array();
  add_all(executor.completed_tasks);
  add_all(executor.terminated_tasks);
  json.end_array().end_object();
}

void add_framework(JsonBuilder& json, const Context& context, const Framework& framework) {
  if (!may_view(context, framework)) return;
  const auto& info = framework.info;
  json.begin_object();
  json.member("id", info.id().value());
  json.member("name", info.name());
  json.member("user", info.user());
  json.member("failover_timeout", info.failover_timeout());
  json.member("checkpoint", info.checkpoint());
  json.member("hostname", info.hostname());
  if (info.has_principal()) json.member("principal", info.principal());
  using Capability = mesos::v1::FrameworkInfo::Capability;
  const bool multi_role = std::ranges::any_of(
      info.capabilities(), [](const auto& c) { return c.type() == Capability::MULTI_ROLE; });
  if (multi_role) {
    json.key("roles").begin_array();
    for (const auto& role : info.roles()) json.value(role);
    json.end_array();
  } else {
    json.member("role", info.role());
  }
  json.key("executors").begin_array();
  for (const auto& [id, executor] : framework.executors) {
    add_executor(json, context, framework, executor);
  }
  json.end_array().key("completed_executors").begin_array();
  for (const auto& executor : framework.completed_executors) {
    add_executor(json, context, framework, executor);
  }
  json.end_array().end_object();
}

// --- The agent ---

void add_version(JsonBuilder& json) {
  const auto version = agent::version_info();
  json.member("version", version.version());
  if (version.has_git_sha()) json.member("git_sha", version.git_sha());
  if (version.has_git_branch()) json.member("git_branch", version.git_branch());
  if (version.has_git_tag()) json.member("git_tag", version.git_tag());
  json.member("build_date", version.build_date());
  json.member("build_time", version.build_time());
  json.member("build_user", version.build_user());
}

void add_identity(JsonBuilder& json, const agent::Agent& agent) {
  json.member("start_time",
              std::chrono::duration<double>(agent.started_at.time_since_epoch()).count());
  json.member("id", agent.info.id().value());
  json.member("pid", concat("slave(1)@", agent.ip, ":", agent.info.port()));
  json.member("hostname", agent.info.hostname());
  json.key("capabilities").begin_array();
  for (const auto type : agent::capabilities()) {
    json.value(mesos::v1::AgentInfo::Capability::Type_Name(type));
  }
  json.end_array();
  if (agent.info.has_domain()) json.member("domain", agent.info.domain());
  if (agent.state.drain_config) json.member("drain_config", *agent.state.drain_config);
  if (const auto& start = agent.state.estimated_drain_start_time) {
    json.member("estimated_drain_start_time_seconds", start->nanoseconds() / 1'000'000'000);
  }
}

void add_all_resources(JsonBuilder& json, const Context& context) {
  const agent::Agent& agent = context.agent;
  const Resources total = pointers_to(agent.info.resources());
  const auto split = split_by_reservation(context, total);
  const auto allocated = agent::allocated_resources(agent.state);
  const auto split_allocated = split_by_reservation(context, pointers_to(allocated));
  add_resources(json, "resources", total);
  add_reserved(json, "reserved_resources", split);
  add_resources(json, "unreserved_resources", split.unreserved);
  json.key("reserved_resources_full").begin_object();
  for (const auto& [role, resources] : split.reserved) add_in_full(json, role, resources);
  json.end_object();
  add_in_full(json, "unreserved_resources_full", split.unreserved);
  add_reserved(json, "reserved_resources_allocated", split_allocated);
  add_resources(json, "unreserved_resources_allocated", split_allocated.unreserved);
  json.key("resource_providers").begin_array();
  const bool shown = may(context, Action::kViewResourceProvider);
  for (const auto& provider : agent.state.resource_providers) {
    if (!shown) break;
    json.begin_object().member("resource_provider_info", provider.info);
    json.key("total_resources").begin_array();
    for (const auto& resource : provider.total_resources) json.value(resource);
    json.end_array().end_object();
  }
  json.end_array();
}

void add_attributes(JsonBuilder& json, const mesos::v1::AgentInfo& info) {
  json.key("attributes").begin_object();
  for (const auto& attribute : info.attributes()) {
    json.key(attribute.name());
    if (attribute.has_scalar()) {
      json.value(attribute.scalar().value());
    } else if (attribute.has_ranges()) {
      json.value(agent::to_text(attribute.ranges()));
    } else {
      json.value(attribute.text().value());
    }
  }
  json.end_object();
}

void add_flags(JsonBuilder& json, const agent::Flags& flags) {
  if (flags.log_dir) json.member("log_dir", *flags.log_dir);
  if (flags.external_log_file) json.member("external_log_file", *flags.external_log_file);
  json.key("flags").begin_object();
  for (const auto& [name, value] : agent::flag_values(flags)) json.member(name, value);
  json.end_object();
}

}  // namespace

Task<void> show_state(Context& context) {
  const agent::Agent& agent = context.agent;
  JsonBuilder json;
  json.begin_object();
  add_version(json);
  add_identity(json, agent);
  add_all_resources(json, context);
  add_attributes(json, agent.info);
  if (!agent.state.master_hostname.empty()) {
    json.member("master_hostname", agent.state.master_hostname);
  }
  if (may(context, Action::kViewFlags)) add_flags(json, agent.flags);
  json.key("frameworks").begin_array();
  for (const auto& [id, framework] : agent.state.frameworks) {
    add_framework(json, context, framework);
  }
  json.end_array().key("completed_frameworks").begin_array();
  for (const auto& framework : agent.state.completed_frameworks) {
    add_framework(json, context, framework);
  }
  json.end_array().end_object();
  co_await context.reply(json_response(context.request, json.take()));
}

}  // namespace operator_api
