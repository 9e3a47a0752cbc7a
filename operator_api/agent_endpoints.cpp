// What the agent tells of itself and of its host: /health, /version, /flags, /system/stats.json,
// /metrics/snapshot, /logging/toggle.

#include "agent/host_statistics.h"
#include "agent/metrics.h"
#include "agent/version.h"
#include "base/duration.h"
#include "base/strings.h"
#include "operator_api/endpoints.h"
#include "proto/json_builder.h"

namespace operator_api {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Task;
using http::error_response;

namespace {

// A duration of a query. The texts of bad ones are Mesos's.
Result<std::chrono::nanoseconds> read_duration(std::string_view text) {
  const size_t size = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view number = text.substr(0, size);
  if (number.empty() || number == ".") {
    return fail(ErrorKind::kInvalid, concat("Failed to convert '", number, "' to number"));
  }
  return base::parse_duration(text);
}

struct LoggingChange {
  uint32_t level = 0;
  std::chrono::nanoseconds duration{};
};

// What a query with a level or a duration asks for. The errors' texts are Mesos's.
Result<LoggingChange> read_logging_change(const http::Query& query, uint32_t initial) {
  const auto refuse = [](std::string text) { return fail(ErrorKind::kInvalid, std::move(text)); };
  const std::string* level = query.find("level");
  const std::string* duration = query.find("duration");
  if (duration == nullptr) return refuse("Expecting 'duration=value' in query.\n");
  if (level == nullptr) return refuse("Expecting 'level=value' in query.\n");
  const auto number = base::parse_number<int32_t>(*level);
  if (!number) return refuse(concat("Failed to convert '", *level, "' to number.\n"));
  if (*number < 0) return refuse(concat("Invalid level '", *level, "'.\n"));
  if (static_cast<uint32_t>(*number) < initial) {
    return refuse(concat("'", *level, "' < original level.\n"));
  }
  const auto time = read_duration(*duration);
  if (!time) return refuse(time.error().message + ".\n");
  return LoggingChange{static_cast<uint32_t>(*number), *time};
}

template <typename T>
void add_if_known(proto::JsonBuilder& json, std::string_view name, const std::optional<T>& value) {
  if (value) json.member(name, *value);
}

}  // namespace

Task<void> show_health(Context& context) { co_await context.reply({}); }

Task<void> show_version(Context& context) {
  std::string json;
  proto::append_json(agent::version_info(), &json, {.sorted = true});
  co_await context.reply(json_response(context.request, std::move(json)));
}

Task<void> show_flags(Context& context) {
  proto::JsonBuilder json;
  json.begin_object().key("flags").begin_object();
  for (const auto& [name, value] : agent::flag_values(context.agent.flags)) {
    json.member(name, value);
  }
  json.end_object().end_object();
  co_await context.reply(json_response(context.request, json.take()));
}

Task<void> show_system(Context& context) {
  const auto host = agent::read_host_statistics();
  proto::JsonBuilder json;
  json.begin_object();
  add_if_known(json, "avg_load_15min", host.load_15min);
  add_if_known(json, "avg_load_1min", host.load_1min);
  add_if_known(json, "avg_load_5min", host.load_5min);
  add_if_known(json, "cpus_total", host.cpus);
  add_if_known(json, "mem_free_bytes", host.free_memory_bytes);
  add_if_known(json, "mem_total_bytes", host.memory_bytes);
  json.end_object();
  co_await context.reply(json_response(context.request, json.take()));
}

// Every metric is read on the spot: a timeout is checked and then never runs out.
Task<void> show_metrics(Context& context) {
  if (const std::string* timeout = context.request.query.find("timeout")) {
    if (const auto duration = read_duration(*timeout); !duration) {
      co_await context.reply(error_response(
          400, concat("Invalid timeout '", *timeout, "': ", duration.error().message, ".\n")));
      co_return;
    }
  }
  proto::JsonBuilder json;
  json.begin_object();
  for (const auto& metric : agent::collect_metrics(context.agent)) {
    json.member(metric.name, metric.value);
  }
  json.end_object();
  co_await context.reply(json_response(context.request, json.take()));
}

Task<void> toggle_logging(Context& context) {
  auto& level = context.agent.logging_level;
  const http::Query& query = context.request.query;
  if (query.find("level") == nullptr && query.find("duration") == nullptr) {
    co_await context.reply(
        {200, {{"Content-Type", "text/plain; charset=utf-8"}}, concat(level.get(), "\n")});
    co_return;
  }
  const auto change = read_logging_change(query, level.initial());
  if (!change) {
    co_await context.reply(error_response(change.error()));
    co_return;
  }
  level.set(change->level, change->duration);
  co_await context.reply({});
}

}  // namespace operator_api
