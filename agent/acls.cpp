#include "agent/acls.h"

#include <algorithm>
#include <array>

#include "base/strings.h"
#include "proto/json_tree.h"

namespace agent {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Status;
using proto::Json;

namespace {

constexpr std::array kLists = std::to_array<AclList>({
    {"access_mesos_logs", "logs"},
    {"access_sandboxes", "users"},
    {"attach_containers_input", "users"},
    {"attach_containers_output", "users"},
    {"get_endpoints", "paths"},
    {"kill_nested_containers", "users"},
    {"kill_standalone_containers", "users"},
    {"launch_nested_container_sessions_as_user", "users"},
    {"launch_nested_container_sessions_under_parent_with_user", "users"},
    {"launch_nested_containers_as_user", "users"},
    {"launch_nested_containers_under_parent_with_user", "users"},
    {"launch_standalone_containers", "users"},
    {"mark_resource_providers_gone", "resource_providers"},
    {"modify_resource_provider_configs", "resource_providers"},
    {"prune_images", "images"},
    {"remove_nested_containers", "users"},
    {"remove_standalone_containers", "users"},
    {"run_tasks", "users"},
    {"set_log_level", "level"},
    {"view_containers", "users"},
    {"view_executors", "users"},
    {"view_flags", "flags"},
    {"view_frameworks", "users"},
    {"view_resource_providers", "resource_providers"},
    {"view_roles", "roles"},
    {"view_standalone_containers", "users"},
    {"view_tasks", "users"},
    {"wait_nested_containers", "users"},
    {"wait_standalone_containers", "users"},
});

// What only a master looks at.
constexpr std::array kOfMasters = std::to_array<std::string_view>({
    "create_block_disks",
    "create_mount_disks",
    "create_volumes",
    "deactivate_agents",
    "destroy_block_disks",
    "destroy_mount_disks",
    "destroy_raw_disks",
    "destroy_volumes",
    "drain_agents",
    "get_maintenance_schedules",
    "get_maintenance_statuses",
    "get_quotas",
    "mark_agents_gone",
    "reactivate_agents",
    "register_agents",
    "register_frameworks",
    "remove_quotas",
    "reserve_resources",
    "resize_volume",
    "resize_volumes",
    "set_quotas",
    "shutdown_frameworks",
    "start_maintenances",
    "stop_maintenances",
    "teardown_frameworks",
    "unreserve_resources",
    "update_maintenance_schedules",
    "update_quota_configs",
    "update_quotas",
    "update_weights",
});

}  // namespace

// Reads JSON into Acls. `where` says which part it is at, for the sentence about what is wrong.
struct AclReader {
  static Result<Acls::Entity> read_entity(const Json& entry, std::string_view member,
                                          std::string_view where) {
    using Type = Acls::Entity::Type;
    const auto refuse = [&](std::string_view expected) {
      return fail(ErrorKind::kInvalid, concat(where, ".", member, ": expected ", expected));
    };
    constexpr std::string_view kForms = R"({"values":["..."]}, {"type":"ANY"} or {"type":"NONE"})";
    const Json* json = entry.find(member);
    if (json == nullptr || !json->is(Json::Type::kObject)) return refuse(kForms);
    Acls::Entity entity;
    if (const Json* type = json->find("type")) {
      const std::string& name = type->text;
      if (name != "SOME" && name != "ANY" && name != "NONE") {
        return refuse("a type of SOME, ANY or NONE");
      }
      entity.type = name == "ANY" ? Type::kAny : name == "NONE" ? Type::kNone : Type::kSome;
    }
    const Json* values = json->find("values");
    if (values == nullptr) {
      if (entity.type == Type::kSome) return refuse(kForms);
      return entity;
    }
    if (!values->is(Json::Type::kArray)) return refuse("values to be an array of strings");
    for (const Json& value : values->items) {
      if (!value.is(Json::Type::kString)) return refuse("values to be an array of strings");
      if (member == "roles" && value.text.ends_with("/%")) {
        entity.roles_above.push_back(value.text.substr(0, value.text.size() - 1));
      } else {
        entity.values.push_back(value.text);
      }
    }
    return entity;
  }

  static Status read_list(const AclList& list, const Json& entries, Acls* acls) {
    if (!entries.is(Json::Type::kArray)) {
      return fail(ErrorKind::kInvalid, concat(list.name, ": expected an array"));
    }
    std::vector<Acls::Entry> read;
    for (const Json& entry : entries.items) {
      const std::string where = concat(list.name, "[", read.size(), "]");
      TRY(auto principals, read_entity(entry, "principals", where));
      TRY(auto objects, read_entity(entry, list.objects, where));
      read.push_back({std::move(principals), std::move(objects)});
    }
    acls->lists_.insert_or_assign(std::string(list.name), std::move(read));
    return {};
  }

  static Status read_member(const Json& member, Acls* acls) {
    if (member.is(Json::Type::kNull)) return {};  // as if it were not there
    if (member.name == "permissive") {
      if (!member.is(Json::Type::kBool)) {
        return fail(ErrorKind::kInvalid, "permissive: expected true or false");
      }
      acls->permissive_ = member.text == "true";
      return {};
    }
    if (const AclList* list = find_acl_list(member.name)) return read_list(*list, member, acls);
    if (std::ranges::find(kOfMasters, member.name) == kOfMasters.end()) {
      acls->unknown_lists_.push_back(member.name);
    }
    return {};
  }
};

const AclList* find_acl_list(std::string_view name) {
  const auto found = std::ranges::find(kLists, name, &AclList::name);
  return found == kLists.end() ? nullptr : found;
}

Result<Acls> Acls::parse(std::string_view json) {
  constexpr std::string_view kExpected = "expected access control lists as a JSON object";
  auto tree = proto::parse_json_tree(json);
  if (!tree) return fail(std::move(tree).error().with_context(kExpected));
  if (!tree->is(Json::Type::kObject)) return fail(ErrorKind::kInvalid, std::string(kExpected));
  Acls acls;
  for (const Json& member : tree->items) TRY_VOID(AclReader::read_member(member, &acls));
  acls.text_ = tree->to_text();
  return acls;
}

bool Acls::matches(const Entity& entity, const std::optional<std::string>& name) {
  return entity.type != Entity::Type::kSome || (name && allows(entity, name));
}

bool Acls::allows(const Entity& entity, const std::optional<std::string>& name) {
  switch (entity.type) {
    case Entity::Type::kAny:
      return true;
    case Entity::Type::kNone:
      return false;
    case Entity::Type::kSome:
      break;
  }
  if (!name) return false;
  return std::ranges::find(entity.values, *name) != entity.values.end() ||
         std::ranges::any_of(entity.roles_above, [&name](const std::string& above) {
           return name->size() > above.size() && name->starts_with(above);
         });
}

bool Acls::allow(std::string_view list, const std::optional<std::string>& principal,
                 const std::optional<std::string>& object) const {
  const auto entries = lists_.find(list);
  if (entries == lists_.end()) return permissive_;
  for (const Entry& entry : entries->second) {
    if (matches(entry.principals, principal) && matches(entry.objects, object)) {
      return allows(entry.principals, principal) && allows(entry.objects, object);
    }
  }
  return permissive_;
}

std::vector<std::string> Acls::objects_of(std::string_view list) const {
  std::vector<std::string> values;
  if (const auto entries = lists_.find(list); entries != lists_.end()) {
    for (const Entry& entry : entries->second) {
      values.insert(values.end(), entry.objects.values.begin(), entry.objects.values.end());
    }
  }
  return values;
}

}  // namespace agent
