#include "operator_api/prometheus.h"

#include <google/protobuf/descriptor.h>

#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "agent/metrics.h"
#include "base/strings.h"
#include "operator_api/authorization.h"
#include "operator_api/endpoints.h"
#include "proto/mesos/v1/statistics.pb.h"

namespace operator_api {

using agent::MetricKind;
using base::concat;
using google::protobuf::FieldDescriptor;
using mesos::v1::ResourceStatistics;

namespace {

using enum MetricKind;

// The members of ResourceStatistics that are numbers of a container.
struct Statistic {
  std::string_view field;
  MetricKind kind;
  std::string_view help;
};

constexpr auto kStatistics = std::to_array<Statistic>({
    {"processes", kGauge, "Processes in the container."},
    {"threads", kGauge, "Threads in the container."},
    {"cpus_user_time_secs", kCounter, "Processor time in user mode."},
    {"cpus_system_time_secs", kCounter, "Processor time in the kernel."},
    {"cpus_limit", kGauge, "How many cpus may be used at most."},
    {"cpus_soft_limit", kGauge, "How many cpus were asked for."},
    {"cpus_nr_periods", kCounter, "Periods of the cpu quota."},
    {"cpus_nr_throttled", kCounter, "Periods in which the container was throttled."},
    {"cpus_throttled_time_secs", kCounter, "For how long the container was throttled."},
    {"mem_total_bytes", kGauge, "Memory that is charged to the container."},
    {"mem_total_memsw_bytes", kGauge, "Memory and swap that are charged to the container."},
    {"mem_kmem_usage_bytes", kGauge, "Memory of the kernel."},
    {"mem_kmem_tcp_usage_bytes", kGauge, "Memory of TCP buffers."},
    {"mem_limit_bytes", kGauge, "How much memory may be used at most."},
    {"mem_soft_limit_bytes", kGauge, "How much memory was asked for."},
    {"mem_file_bytes", kGauge, "Memory that caches files."},
    {"mem_anon_bytes", kGauge, "Anonymous memory."},
    {"mem_cache_bytes", kGauge, "Memory of the page cache."},
    {"mem_rss_bytes", kGauge, "Anonymous memory that is resident."},
    {"mem_mapped_file_bytes", kGauge, "Memory of mapped files."},
    {"mem_swap_bytes", kGauge, "Swap."},
    {"mem_unevictable_bytes", kGauge, "Memory that cannot be reclaimed."},
    {"mem_low_pressure_counter", kCounter, "Events of low memory pressure."},
    {"mem_medium_pressure_counter", kCounter, "Events of medium memory pressure."},
    {"mem_critical_pressure_counter", kCounter, "Events of critical memory pressure."},
    {"disk_limit_bytes", kGauge, "How much disk may be used at most."},
    {"disk_used_bytes", kGauge, "Disk in use."},
    {"net_rx_packets", kCounter, "Packets received."},
    {"net_rx_bytes", kCounter, "Bytes received."},
    {"net_rx_errors", kCounter, "Errors in receiving."},
    {"net_rx_dropped", kCounter, "Received packets that were dropped."},
    {"net_tx_packets", kCounter, "Packets sent."},
    {"net_tx_bytes", kCounter, "Bytes sent."},
    {"net_tx_errors", kCounter, "Errors in sending."},
    {"net_tx_dropped", kCounter, "Packets to be sent that were dropped."},
});

std::optional<double> read(const ResourceStatistics& statistics, std::string_view name) {
  const auto* field = ResourceStatistics::descriptor()->FindFieldByName(std::string(name));
  const auto* reflection = statistics.GetReflection();
  if (field == nullptr || !reflection->HasField(statistics, field)) return std::nullopt;
  switch (field->cpp_type()) {
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection->GetDouble(statistics, field);
    case FieldDescriptor::CPPTYPE_UINT32:
      return reflection->GetUInt32(statistics, field);
    case FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<double>(reflection->GetUInt64(statistics, field));
    default:
      return std::nullopt;
  }
}

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// How many bytes the UTF-8 character at the front has; 0 if it is none.
size_t character_size(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text.front());
  const size_t size = lead < 0x80                    ? 1
                      : lead >= 0xC2 && lead <= 0xDF ? 2
                      : lead >= 0xE0 && lead <= 0xEF ? 3
                      : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                     : 0;
  if (size == 0 || size > text.size()) return 0;
  for (size_t i = 1; i < size; ++i) {
    if (!is_continuation(text[i])) return 0;
  }
  // Overlong forms, surrogates, and what is beyond the last plane.
  const auto next = size > 1 ? static_cast<unsigned char>(text[1]) : 0;
  const bool bad = (lead == 0xE0 && next < 0xA0) || (lead == 0xED && next > 0x9F) ||
                   (lead == 0xF0 && next < 0x90) || (lead == 0xF4 && next > 0x8F);
  return bad ? 0 : size;
}

// A label's value. Ids need not be UTF-8, but one that is not must not spoil the whole answer.
std::string escape(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const size_t size = character_size(text);
    if (size == 0) {
      escaped += "\uFFFD";
    } else if (text.front() == '\n') {
      escaped += "\\n";
    } else {
      if (text.front() == '"' || text.front() == '\\') escaped += '\\';
      escaped += text.substr(0, size);
    }
    text.remove_prefix(std::max<size_t>(size, 1));
  }
  return escaped;
}

void append_head(std::string_view name, MetricKind kind, std::string_view help, std::string* out) {
  *out += concat("# HELP ", name, " ", help, "\n# TYPE ", name,
                 kind == kCounter ? " counter\n" : " gauge\n");
}

void append_sample(std::string_view name, std::string_view labels, double value, std::string* out) {
  char number[32];
  const auto end = std::to_chars(number, number + sizeof(number), value).ptr;
  *out += concat(name, labels, " ", std::string_view(number, end), "\n");
}

// A container's labels and statistics.
using Measured = std::pair<std::string, ResourceStatistics>;

using IsVisible = std::function<bool(const isolators::ContainerId& id)>;

base::Task<std::vector<Measured>> measure_containers(const agent::Agent& agent,
                                                     const IsVisible& visible) {
  std::vector<Measured> all;
  std::vector<containerizer::StatisticsReader> readers;
  for (const auto& [id, container] : agent.containers.containers()) {
    if (!visible(id)) continue;
    std::string labels = concat("{container_id=\"", escape(id.to_string()), "\"");
    if (const auto owner = agent::find_executor(agent.state, id)) {
      labels +=
          concat(",framework_id=\"", escape(owner.framework->info.id().value()),
                 "\",executor_id=\"", escape(owner.executor->info.executor_id().value()), "\"");
    }
    all.emplace_back(labels + "}", ResourceStatistics());
    readers.push_back(container->usage_reader());
  }
  auto measured = co_await containerizer::measure(std::move(readers));
  for (size_t i = 0; i < all.size(); ++i) all[i].second = std::move(measured[i]);
  co_return all;
}

}  // namespace

std::string prometheus_name(std::string_view name, MetricKind kind) {
  std::string text = concat("mesos_", name);
  for (char& c : text) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!allowed) c = '_';
  }
  const std::pair<std::string_view, std::string_view> endings[] = {{"_secs", "_seconds"},
                                                                   {"_percent", "_ratio"},
                                                                   {"_counter", "_events"},
                                                                   {"_total", "_capacity"}};
  for (const auto& [old, better] : endings) {
    if (text.ends_with(old)) text.replace(text.size() - old.size(), old.size(), better);
  }
  return kind == kCounter ? text + "_total" : text;
}

base::Task<std::string> prometheus_text(const agent::Agent& agent, IsVisible visible) {
  std::string text;
  for (const auto& metric : agent::collect_metrics(agent)) {
    const std::string name = prometheus_name(metric.name, metric.kind);
    append_head(name, metric.kind, metric.help, &text);
    append_sample(name, "", metric.value, &text);
  }
  const auto containers = co_await measure_containers(agent, visible);
  for (const Statistic& statistic : kStatistics) {
    const std::string name = prometheus_name(concat("container/", statistic.field), statistic.kind);
    bool first = true;
    for (const auto& [labels, statistics] : containers) {
      const auto value = read(statistics, statistic.field);
      if (!value) continue;
      if (std::exchange(first, false)) append_head(name, statistic.kind, statistic.help, &text);
      append_sample(name, labels, *value, &text);
    }
  }
  co_return text;
}

base::Task<void> scrape_metrics(Context& context) {
  std::string text = co_await prometheus_text(context.agent, [&](const isolators::ContainerId& id) {
    return may_view_container(context, id);
  });
  co_await context.reply(
      {200, {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}}, std::move(text)});
}

}  // namespace operator_api
