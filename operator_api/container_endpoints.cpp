// /containers, /monitor/statistics, /containerizer/debug.

#include <optional>
#include <string>
#include <vector>

#include "base/strings.h"
#include "operator_api/authorization.h"
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

// An executor that has not ended, as it was when it was asked for, and what is known of its
// container.
struct Listed {
  std::string container_id;
  std::string framework_id;
  mesos::v1::ExecutorInfo info;
  std::optional<mesos::v1::ContainerStatus> status;
  std::optional<mesos::v1::ResourceStatistics> statistics;
};

// Those for which `wanted(framework, executor)` holds.
template <typename Wanted>
Task<std::vector<Listed>> list_executors(const agent::Agent& agent, Wanted wanted) {
  std::vector<Listed> all;
  std::vector<containerizer::StatisticsReader> readers;
  for (const auto& [framework_id, framework] : agent.state.frameworks) {
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state == Executor::State::kTerminated) continue;
      if (!wanted(framework, executor)) continue;
      auto& listed = all.emplace_back();
      listed.container_id = executor.container_id.to_string();
      listed.framework_id = framework.info.id().value();
      listed.info = executor.info;
      const auto container = agent.containers.find(executor.container_id);
      if (container == nullptr) continue;
      listed.status = container->status();
      readers.push_back(container->usage_reader());
    }
  }
  auto measured = co_await containerizer::measure(std::move(readers));
  auto next = measured.begin();
  for (auto& listed : all) {
    if (listed.status) listed.statistics = std::move(*next++);
  }
  co_return all;
}

void add_names(proto::JsonBuilder& json, const Listed& listed) {
  json.member("executor_id", listed.info.executor_id().value());
  json.member("executor_name", listed.info.name());
  json.member("framework_id", listed.framework_id);
  json.member("source", listed.info.source());
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
  const auto executors = co_await list_executors(
      context.agent, [&](const Framework& framework, const Executor& executor) {
        return filter.matches(executor, framework) &&
               may_view_container(context, executor.container_id);
      });
  proto::JsonBuilder json;
  json.begin_array();
  for (const auto& listed : executors) {
    json.begin_object().member("container_id", listed.container_id);
    add_names(json, listed);
    if (listed.statistics) json.key("statistics").value(*listed.statistics, kSorted);
    if (listed.status) json.key("status").value(*listed.status, kSorted);
    json.end_object();
  }
  co_await context.reply(json_response(context.request, json.end_array().take()));
}

Task<void> show_statistics(Context& context) {
  const auto executors = co_await list_executors(
      context.agent, [](const Framework&, const Executor&) { return true; });
  proto::JsonBuilder json;
  json.begin_array();
  for (const auto& listed : executors) {
    if (!listed.statistics) continue;
    json.begin_object();
    add_names(json, listed);
    json.key("statistics").value(*listed.statistics, kSorted).end_object();
  }
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
