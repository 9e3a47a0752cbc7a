// The endpoints in one table: the router and /help read it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "agent/authentication.h"
#include "agent/authorizer.h"
#include "operator_api/context.h"

namespace operator_api {

// Who gets to an endpoint.
struct Access {
  agent::Realm realm = agent::Realm::kNone;
  // Must be allowed, else 403: kGetEndpoint on the endpoint's path, any other on whatever there is.
  // Nothing: the handler sees to what its answer may hold.
  std::optional<agent::Action> action = {};
  // Where there is an authorizer, any other method than GET is 405.
  bool get_only = false;
};

struct Route {
  // Without a slash in front. A path of the agent's component, slave(1), is without that.
  std::string_view path;
  base::Task<void> (*handle)(Context& context);
  std::string_view help;  // a sentence
  Access access = {};
  // Not of the agent's component but of one that the first word of its path names.
  bool own_component = false;
  // Serves this path only, nothing below it.
  bool exact = false;
};

std::span<const Route> routes();

// "/slave(1)/state", "/files/browse": the path that Mesos knows the endpoint by.
std::string full_path(const Route& route);

// "/files/debug": what access control lists call an endpoint.
std::string authorized_path(const Route& route);

// Whether there is an endpoint that they may name.
bool is_authorized_path(std::string_view path);

// The response to a request that may not get to the endpoint; nothing if it may. `context` is that
// of the request, with its principal.
std::optional<http::Response> check_access(const Route& route, const Context& context);

// The route that serves a decoded path: of those it is below, the longest; nullptr if there is
// none. The agent's component may stand in front of every path, and be left out.
const Route* find_route(std::string_view path);

// Whether the rules say that the endpoint is not served. A rule names it by its full path or
// without the agent's component; however a request spells the path, it is the same endpoint.
bool is_disabled(const Route& route, const agent::FirewallRules& rules);

}  // namespace operator_api
