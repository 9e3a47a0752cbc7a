#include "operator_api/routes.h"

#include <algorithm>

#include "base/strings.h"
#include "operator_api/api.h"
#include "operator_api/authorization.h"
#include "operator_api/endpoints.h"

namespace operator_api {

namespace {

constexpr std::string_view kComponent = "slave(1)";

using agent::Action;
using agent::Realm;

constexpr Access kOpen{};
constexpr Access kReadwrite{Realm::kReadwrite};
constexpr Access kReadonly{Realm::kReadonly};
// By the endpoint's path.
constexpr Access kByPath{Realm::kReadonly, Action::kGetEndpoint};
constexpr Access kGetByPath{Realm::kReadonly, Action::kGetEndpoint, true};

constexpr Route kRoutes[] = {
    {"api/v1", handle_api_request, "The operator API: every call, by POST.", kReadwrite},
    {"api/v1/executor",
     handle_executor_request,
     "The executor API: every call, by POST.",
     {Realm::kExecutor}},
    {"containerizer/debug", debug_containerizer, "Containers that are starting or ending.",
     kGetByPath},
    {"containers", list_containers,
     "Executors' containers with status and statistics; by container_id, framework_id, or "
     "framework_id and executor_id.",
     kGetByPath},
    {"files/browse", browse_files, "The entries of the directory 'path'.", kReadonly, true},
    {"files/debug", debug_files, "All virtual paths, and where they lead.", kGetByPath, true},
    {"files/download", download_file, "The file 'path', or the part that Range names.", kReadonly,
     true},
    {"files/read", read_file_part, "Up to 'length' bytes from 'offset' of the file 'path'.",
     kReadonly, true},
    {"flags",
     show_flags,
     "The flags that the agent runs with.",
     {Realm::kReadonly, Action::kViewFlags, true}},
    {"health", show_health, "200 as long as the agent serves.", kOpen},
    {"help", show_help, "This list; below, a part of it.", kOpen, true},
    {"logging/toggle",
     toggle_logging,
     "The log's verbosity; with 'level' and 'duration', sets it for that long.",
     {Realm::kReadwrite, Action::kGetEndpoint},
     true},
    {"metrics", scrape_metrics,
     "All metrics, and the statistics of each container, for Prometheus.", kByPath, true, true},
    {"metrics/snapshot", show_metrics, "All metrics by name.", kByPath, true},
    {"monitor/statistics", show_statistics, "The statistics of executors' containers.", kGetByPath},
    {"state", show_state, "The agent, its resources, frameworks, executors and tasks.", kReadonly},
    {"system/stats.json", show_system, "Load, processors and memory of the host.", kOpen, true},
    {"version", show_version, "Version and build.", kOpen, true},
};

// Whether `path` is `prefix` or below it.
bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// The path below the component, without slashes around it.
std::string_view below_component(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (is_below(path, kComponent)) path.remove_prefix(kComponent.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

std::string full_path(const Route& route) {
  return route.own_component ? base::concat("/", route.path)
                             : base::concat("/", kComponent, "/", route.path);
}

std::string authorized_path(const Route& route) { return base::concat("/", route.path); }

bool is_authorized_path(std::string_view path) {
  return std::ranges::any_of(kRoutes, [path](const Route& route) {
    return route.access.action == Action::kGetEndpoint && authorized_path(route) == path;
  });
}

std::optional<http::Response> check_access(const Route& route, const Context& context) {
  const Access& access = route.access;
  const auto& method = context.request.method;
  if (access.get_only && context.agent.authorizer && method != "GET") {
    return method_not_allowed("GET", method);
  }
  if (!access.action) return std::nullopt;
  agent::Object object;
  if (*access.action == Action::kGetEndpoint) object.name = authorized_path(route);
  if (may(context, *access.action, object)) return std::nullopt;
  return http::error_response(403);
}

const Route* find_route(std::string_view path) {
  path = below_component(path);
  const Route* found = nullptr;
  for (const auto& route : kRoutes) {
    const bool serves = route.exact ? path == route.path : is_below(path, route.path);
    if (serves && (found == nullptr || route.path.size() > found->path.size())) found = &route;
  }
  return found;
}

bool is_disabled(const Route& route, const agent::FirewallRules& rules) {
  return std::ranges::any_of(rules.disabled_paths, [&route](const std::string& path) {
    return below_component(path) == route.path;
  });
}

}  // namespace operator_api
