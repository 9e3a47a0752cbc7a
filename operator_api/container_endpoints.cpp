// /containers, /monitor/statistics, /containerizer/debug.

#include <optional>

#include "base/strings.h"
#include "operator_api/endpoints.h"
#include "proto/json_builder.h"

namespace operator_api {

using agent::Executor;
using agent::Framework;
using base::Task;

namespace {

constexpr proto::JsonWriteOptions kSorted{.sorted = true};

// Which executors are asked for; nothing: all.
struct Filter {
  const std::string* container = nullptr;
  const std::string* framework = nullptr;
  const std::string* executor = nullptr;

  explicit Filter(const http::Query& query)
      : container(query.find("container_id")),
        framework(query.find("framework_id")),
        executor(query.find("executor_id")) {}

  bool is_supported() const {
    if (container != nullptr) return framework == nullptr && executor == nullptr;
    return executor == nullptr || framework != nullptr;
  }

  bool matches(const Executor& candidate, const Framework& its_framework) const {
    return is(container, candidate.container_id.to_string()) &&
           is(framework, its_framework.info.id().value()) &&
           is(executor, candidate.info.executor_id().value());
  }

 private:
  static bool is(const std::string* wanted, const std::string& value) {
    return wanted == nullptr || *wanted == value;
  }
};

// `handle` gets each executor that has not ended, its framework, and its container, which is
// nullptr if there is none any more.
template <typename Handle>
void for_each_executor(const agent::Agent& agent, Handle handle) {
  for (const auto& [framework_id, framework] : agent.state.frameworks) {
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state == Executor::State::kTerminated) continue;
      handle(framework, executor, agent.containers.find(executor.container_id).get());
    }
  }
}

void add_names(proto::JsonBuilder& json, const Framework& framework, const Executor& executor) {
  json.member("executor_id", executor.info.executor_id().value());
  json.member("executor_name", executor.info.name());
  json.member("framework_id", framework.info.id().value());
  json.member("source", executor.info.source());
}

}  // namespace

Task<void> list_containers(Context& context) {
  const Filter filter(context.request.query);
  if (!filter.is_supported()) {
    co_await context.reply(http::error_response(
        400,
        "Supported query parameters are container_id only, framework_id only, or executor_id and "
        "framework_id only"));
    co_return;
  }
  proto::JsonBuilder json;
  json.begin_array();
  for_each_executor(context.agent, [&](const Framework& framework, const Executor& executor,
                                       const containerizer::Container* container) {
    if (!filter.matches(executor, framework)) return;
    json.begin_object().member("container_id", executor.container_id.to_string());
    add_names(json, framework, executor);
    if (container != nullptr) {
      json.key("statistics").value(container->usage(), kSorted);
      json.key("status").value(container->status(), kSorted);
    }
    json.end_object();
  });
  co_await context.reply(json_response(context.request, json.end_array().take()));
}

Task<void> show_statistics(Context& context) {
  proto::JsonBuilder json;
  json.begin_array();
  for_each_executor(context.agent, [&](const Framework& framework, const Executor& executor,
                                       const containerizer::Container* container) {
    if (container == nullptr) return;
    json.begin_object();
    add_names(json, framework, executor);
    json.key("statistics").value(container->usage(), kSorted).end_object();
  });
  co_await context.reply(json_response(context.request, json.end_array().take()));
}

Task<void> debug_containerizer(Context& context) {
  using State = containerizer::Container::State;
  proto::JsonBuilder json;
  json.begin_object().key("pending").begin_array();
  for (const auto& [id, container] : context.agent.containers.containers()) {
    if (container->state() == State::kRunning) continue;
    const bool starting = container->state() == State::kStarting;
    json.begin_object().key("args").begin_object();
    json.member("containerId", id.to_string()).end_object();
    json.member("operation", starting ? "containerizer::launch" : "containerizer::destroy");
    json.end_object();
  }
  json.end_array().end_object();
  co_await context.reply(json_response(context.request, json.take()));
}

}  // namespace operator_api
