// Resource providers and their configurations.

#include <optional>

#include "base/strings.h"
#include "operator_api/authorization.h"
#include "operator_api/handlers.h"
#include "operator_api/validation.h"

namespace operator_api {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Status;
using base::Task;
using mesos::v1::agent::Response;

namespace {

Status expect_no_id(const mesos::v1::ResourceProviderInfo& info, std::string_view call) {
  if (!info.has_id()) return {};
  return fail(ErrorKind::kInvalid, concat("Expecting '", call, ".info.id' to be unset"));
}

// The response for an agent that keeps no configurations.
http::Response no_configs() {
  return http::error_response(500, "Missing required flag --resource_provider_config_dir");
}

}  // namespace

Status validate_add_resource_provider_config(const Call& call) {
  return expect_no_id(call.add_resource_provider_config().info(), "add_resource_provider_config");
}

Status validate_update_resource_provider_config(const Call& call) {
  return expect_no_id(call.update_resource_provider_config().info(),
                      "update_resource_provider_config");
}

Task<void> get_resource_providers(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_RESOURCE_PROVIDERS);
  auto* list = response.mutable_get_resource_providers();
  if (!may(exchange, Action::kViewResourceProvider)) {
    co_await exchange.reply(response);
    co_return;
  }
  for (const auto& provider : exchange.agent.state.resource_providers) {
    auto* entry = list->add_resource_providers();
    *entry->mutable_resource_provider_info() = provider.info;
    entry->mutable_total_resources()->Add(provider.total_resources.begin(),
                                          provider.total_resources.end());
  }
  co_await exchange.reply(response);
}

Task<void> add_resource_provider_config(Exchange& exchange) {
  auto& configs = exchange.agent.resource_provider_configs;
  if (!configs) {
    co_await exchange.reply(no_configs());
    co_return;
  }
  co_await exchange.reply(
      co_await configs->add(exchange.call.add_resource_provider_config().info()));
}

Task<void> update_resource_provider_config(Exchange& exchange) {
  auto& configs = exchange.agent.resource_provider_configs;
  if (!configs) {
    co_await exchange.reply(no_configs());
    co_return;
  }
  co_await exchange.reply(
      co_await configs->update(exchange.call.update_resource_provider_config().info()));
}

Task<void> remove_resource_provider_config(Exchange& exchange) {
  auto& configs = exchange.agent.resource_provider_configs;
  if (!configs) {
    co_await exchange.reply(no_configs());
    co_return;
  }
  const auto& wanted = exchange.call.remove_resource_provider_config();
  co_await exchange.reply(co_await configs->remove(wanted.type(), wanted.name()));
}

// Only an agent that a master knows has providers, and this one is known to none yet.
Task<void> mark_resource_provider_gone(Exchange& exchange) {
  const auto& id = exchange.call.mark_resource_provider_gone().resource_provider_id();
  const std::string_view reason =
      exchange.agent.info.has_id() ? "No such resource provider" : "Agent has not registered yet";
  co_await exchange.reply(http::error_response(
      500, concat("Could not mark resource provider '", id.value(), "' as gone: ", reason)));
}

}  // namespace operator_api
