// The endpoints in one table: the router and /help read it.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "operator_api/context.h"

namespace operator_api {

struct Route {
  // Without a slash in front. A path of the agent's component, slave(1), is without that.
  std::string_view path;
  base::Task<void> (*handle)(Context& context);
  std::string_view help;  // a sentence
  // Not of the agent's component but of one that the first word of its path names.
  bool own_component = false;
  // Serves this path only, nothing below it.
  bool exact = false;
};

std::span<const Route> routes();

// "/slave(1)/state", "/files/browse": the path that Mesos knows the endpoint by.
std::string full_path(const Route& route);

// The route that serves a decoded path: of those it is below, the longest; nullptr if there is
// none. The agent's component may stand in front of every path, and be left out.
const Route* find_route(std::string_view path);

// Whether the rules say that the endpoint is not served. A rule names it by its full path or
// without the agent's component; however a request spells the path, it is the same endpoint.
bool is_disabled(const Route& route, const agent::FirewallRules& rules);

}  // namespace operator_api
