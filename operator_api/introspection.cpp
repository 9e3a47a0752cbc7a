// What the agent tells of itself.

#include "agent/metrics.h"
#include "agent/state.h"
#include "agent/version.h"
#include "operator_api/authorization.h"
#include "operator_api/handlers.h"

namespace operator_api {

using base::Task;
using mesos::v1::agent::Response;

Task<void> get_health(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_HEALTH);
  response.mutable_get_health()->set_healthy(true);
  co_await exchange.reply(response);
}

Task<void> get_version(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_VERSION);
  *response.mutable_get_version()->mutable_version_info() = agent::version_info();
  co_await exchange.reply(response);
}

Task<void> get_flags(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_FLAGS);
  for (auto& [name, value] : agent::flag_values(exchange.agent.flags)) {
    auto* flag = response.mutable_get_flags()->add_flags();
    flag->set_name(name);
    flag->set_value(value);
  }
  co_await exchange.reply(response);
}

// Every metric is read on the spot, so the call's time limit cannot run out.
Task<void> get_metrics(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_METRICS);
  auto* metrics = response.mutable_get_metrics();
  for (const auto& metric : agent::collect_metrics(exchange.agent)) {
    auto* entry = metrics->add_metrics();
    entry->set_name(std::string(metric.name));
    entry->set_value(metric.value);
  }
  co_await exchange.reply(response);
}

Task<void> get_logging_level(Exchange& exchange) {
  Response response;
  response.set_type(Response::GET_LOGGING_LEVEL);
  response.mutable_get_logging_level()->set_level(exchange.agent.logging_level.get());
  co_await exchange.reply(response);
}

Task<void> set_logging_level(Exchange& exchange) {
  const auto& wanted = exchange.call.set_logging_level();
  exchange.agent.logging_level.set(wanted.level(),
                                   std::chrono::nanoseconds(wanted.duration().nanoseconds()));
  co_await exchange.reply(200);
}

// Executors' containers are always shown. All others are by their depth only: a nested container
// wants show_nested, wherever it is, and a root that is no executor's show_standalone. Containers
// that are still launching or being destroyed are shown as well, with what is known of them.
Task<void> get_containers(Exchange& exchange) {
  const auto& wanted = exchange.call.get_containers();
  Response response;
  response.set_type(Response::GET_CONTAINERS);
  auto* list = response.mutable_get_containers();
  std::vector<containerizer::StatisticsReader> readers;
  for (const auto& [id, container] : exchange.agent.containers.containers()) {
    agent::ExecutorOf owner;
    if (!id.has_parent()) owner = agent::find_executor(exchange.agent.state, id);
    if (!owner && !(id.has_parent() ? wanted.show_nested() : wanted.show_standalone())) continue;
    if (!may_view_container(exchange, id)) continue;
    auto* entry = list->add_containers();
    if (owner) {
      *entry->mutable_framework_id() = owner.framework->info.id();
      *entry->mutable_executor_id() = owner.executor->info.executor_id();
      entry->set_executor_name(owner.executor->info.name());
    }
    *entry->mutable_container_id() = id.to_message();
    *entry->mutable_container_status() = container->status();
    readers.push_back(container->usage_reader());
  }
  auto statistics = co_await containerizer::measure(std::move(readers));
  for (int i = 0; i < list->containers_size(); ++i) {
    *list->mutable_containers(i)->mutable_resource_statistics() =
        std::move(statistics[static_cast<size_t>(i)]);
  }
  co_await exchange.reply(response);
}

}  // namespace operator_api
