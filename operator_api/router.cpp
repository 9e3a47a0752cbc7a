#include "operator_api/router.h"

#include <string_view>

#include "base/strings.h"
#include "http/url.h"
#include "operator_api/api.h"
#include "operator_api/endpoints.h"

namespace operator_api {

using base::Task;
using http::error_response;

namespace {

// The agent's component, which may stand in front of a path or be left out.
constexpr std::string_view kComponent = "slave(1)";

Task<void> handle_health(Context& context) { co_await context.reply({}); }

struct Route {
  std::string_view path;
  Task<void> (*handle)(Context& context);
};

constexpr Route kRoutes[] = {
    {"api/v1", handle_api_request},    {"files/browse", browse_files}, {"files/debug", debug_files},
    {"files/download", download_file}, {"files/read", read_file_part}, {"health", handle_health},
};

// Whether `path` is `prefix` or below it.
bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

// The route with the longest path that `path` is below.
const Route* find_route(std::string_view path) {
  const Route* found = nullptr;
  for (const auto& route : kRoutes) {
    if (is_below(path, route.path) &&
        (found == nullptr || route.path.size() > found->path.size())) {
      found = &route;
    }
  }
  return found;
}

// The path below the component, without slashes around it.
std::string_view below_component(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  if (is_below(path, kComponent)) path.remove_prefix(kComponent.size());
  while (path.starts_with('/')) path.remove_prefix(1);
  return path;
}

Task<void> handle_request(Context context) {
  auto path = http::percent_decode(context.request.path);
  if (!path) {
    co_await context.reply(error_response(path.error()));
    co_return;
  }
  const bool climbs = path->find("/..") != std::string::npos;
  const Route* route = climbs ? nullptr : find_route(below_component(*path));
  if (route == nullptr) {
    co_await context.reply(error_response(404));
    co_return;
  }
  co_await route->handle(context);
}

}  // namespace

http::Handler make_handler(agent::Agent& agent) {
  return [&agent](http::Request& request, http::ResponseWriter& writer) {
    return handle_request({agent, request, writer});
  };
}

}  // namespace operator_api
