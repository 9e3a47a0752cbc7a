#include "operator_api/router.h"

#include <expected>

#include "base/strings.h"
#include "http/url.h"
#include "operator_api/routes.h"

namespace operator_api {

using base::Task;
using http::error_response;

namespace {

// The endpoint that the request gets to, or the answer if it gets to none. Completes the context.
std::expected<const Route*, http::Response> admit(Context& context) {
  const auto path = http::percent_decode(context.request.path);
  if (!path) return std::unexpected(error_response(path.error()));
  const bool climbs = path->find("/..") != std::string::npos;
  const Route* route = climbs ? nullptr : find_route(*path);
  if (route == nullptr) return std::unexpected(error_response(404));
  const auto& rules = context.agent.flags.firewall_rules;
  if (rules && is_disabled(*route, *rules)) {
    return std::unexpected(
        error_response(403, base::concat("Endpoint '", full_path(*route), "' is disabled")));
  }
  auto principal =
      context.agent.authentication.authenticate(route->access.realm, context.request.headers);
  if (!principal) return std::unexpected(std::move(principal).error());
  context.principal = *std::move(principal);
  if (auto refusal = check_access(*route, context)) return std::unexpected(*std::move(refusal));
  return route;
}

Task<void> handle_request(Context context) {
  auto route = admit(context);
  if (route) {
    co_await (*route)->handle(context);
  } else {
    co_await context.reply(std::move(route).error());
  }
}

constexpr std::string_view kOperatorPath = "/slave(1)/api/v1";
constexpr std::string_view kExecutorPath = "/slave(1)/api/v1/executor";

Task<void> refuse_path(Context context) {
  co_await context.reply(
      error_response(403, base::concat("Endpoint '", context.request.path,
                                       "' is not served on the executors' socket")));
}

}  // namespace

http::Handler make_handler(agent::Agent& agent) {
  return [&agent](http::Request& request, http::ResponseWriter& writer) {
    // Messages share the port, and may have paths that are also a call's.
    if (libprocess::is_message(request)) return agent.receiver.handle(request, writer);
    return handle_request({.agent = agent, .request = request, .writer = writer});
  };
}

http::Handler make_domain_socket_handler(agent::Agent& agent) {
  return [&agent](http::Request& request, http::ResponseWriter& writer) {
    Context context{agent, request, writer};
    const bool served = request.path == kOperatorPath || request.path == kExecutorPath;
    return served ? handle_request(context) : refuse_path(context);
  };
}

http::Handler make_own_executors_handler(agent::Agent& agent) {
  return [&agent](http::Request& request, http::ResponseWriter& writer) {
    Context context{agent, request, writer};
    // Nobody is nobody: a socket without a user must not let in as one without the question.
    context.local_user = writer.local_user().value_or(static_cast<uid_t>(-1));
    return request.path == kExecutorPath ? handle_request(context) : refuse_path(context);
  };
}

}  // namespace operator_api
