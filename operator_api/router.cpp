#include "operator_api/router.h"

#include "base/strings.h"
#include "http/url.h"
#include "operator_api/routes.h"

namespace operator_api {

using base::Task;
using http::error_response;

namespace {

Task<void> handle_request(Context context) {
  auto path = http::percent_decode(context.request.path);
  if (!path) {
    co_await context.reply(error_response(path.error()));
    co_return;
  }
  const bool climbs = path->find("/..") != std::string::npos;
  const Route* route = climbs ? nullptr : find_route(*path);
  if (route == nullptr) {
    co_await context.reply(error_response(404));
    co_return;
  }
  const auto& rules = context.agent.flags.firewall_rules;
  if (rules && is_disabled(*route, *rules)) {
    co_await context.reply(
        error_response(403, base::concat("Endpoint '", full_path(*route), "' is disabled")));
    co_return;
  }
  auto principal =
      context.agent.authentication.authenticate(route->access.realm, context.request.headers);
  if (!principal) {
    co_await context.reply(std::move(principal).error());
    co_return;
  }
  context.principal = *std::move(principal);
  if (auto refusal = check_access(*route, context)) {
    co_await context.reply(*std::move(refusal));
    co_return;
  }
  co_await route->handle(context);
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
