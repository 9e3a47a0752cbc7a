#include "operator_api/prometheus.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/agent/cluster.h"
#include "tests/operator_api/support.h"

namespace {

using agent::MetricKind;
using operator_api::prometheus_name;

TEST(PrometheusName, FollowsItsRules) {
  const struct {
    const char* name;
    MetricKind kind;
    const char* expected;
  } kCases[] = {
      {"slave/uptime_secs", MetricKind::kGauge, "mesos_slave_uptime_seconds"},
      {"slave/tasks_lost", MetricKind::kCounter, "mesos_slave_tasks_lost_total"},
      {"slave/cpus_total", MetricKind::kGauge, "mesos_slave_cpus_capacity"},
      {"slave/cpus_percent", MetricKind::kGauge, "mesos_slave_cpus_ratio"},
      {"system/mem_total_bytes", MetricKind::kGauge, "mesos_system_mem_total_bytes"},
      {"container/cpus_user_time_secs", MetricKind::kCounter,
       "mesos_container_cpus_user_time_seconds_total"},
      {"container/mem_low_pressure_counter", MetricKind::kCounter,
       "mesos_container_mem_low_pressure_events_total"},
      {"a.b/c-d", MetricKind::kGauge, "mesos_a_b_c_d"},
  };
  for (const auto& test : kCases) EXPECT_EQ(test.expected, prometheus_name(test.name, test.kind));
}

bool everything(const isolators::ContainerId&) { return true; }

class PrometheusTest : public tests::ApiTest {};

TEST_F(PrometheusTest, EveryMetricIsThereOnce) {
  const std::string text = run(operator_api::prometheus_text(*agent_, everything));
  std::set<std::string> names;
  for (const auto& metric : agent::collect_metrics(*agent_)) {
    const std::string name = prometheus_name(metric.name, metric.kind);
    EXPECT_TRUE(names.insert(name).second) << name;
    const std::string head =
        base::concat("# HELP ", name, " ", metric.help, "\n# TYPE ", name,
                     metric.kind == MetricKind::kCounter ? " counter\n" : " gauge\n", name, " ");
    EXPECT_NE(std::string::npos, text.find(head)) << head;
  }
}

TEST_F(PrometheusTest, LabelsAreEscaped) {
  agent_->state = tests::make_state();
  auto& executor = agent_->state.frameworks.at("framework-1").executors.at("executor-1");
  executor.info.mutable_executor_id()->set_value("a\"b\\c\nd\xff\xc3\xa9");
  const Reply launched = call(
      R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"container-1"},)"
      R"("resources":[{"name":"mem","type":"SCALAR","scalar":{"value":32}}],)"
      R"("command":{"value":"sleep 1000"}}})");
  ASSERT_EQ(200, launched.status) << launched.body;
  const std::string text = run(operator_api::prometheus_text(*agent_, everything));
  EXPECT_NE(std::string::npos,
            text.find("\n# TYPE mesos_container_mem_limit_bytes gauge\n"
                      "mesos_container_mem_limit_bytes{container_id=\"container-1\","
                      "framework_id=\"framework-1\","
                      "executor_id=\"a\\\"b\\\\c\\nd\uFFFD\u00e9\"} 33554432\n"))
      << text;
}

// Who may not view a container does not learn that it is there.
TEST_F(PrometheusTest, WhatIsNotVisibleIsLeftOut) {
  const Reply launched =
      call(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"hidden"},)"
           R"("resources":[{"name":"mem","type":"SCALAR","scalar":{"value":32}}],)"
           R"("command":{"value":"sleep 1000"}}})");
  ASSERT_EQ(200, launched.status) << launched.body;
  EXPECT_NE(std::string::npos,
            run(operator_api::prometheus_text(*agent_, everything)).find("\"hidden\""));
  const auto nothing = [](const isolators::ContainerId&) { return false; };
  EXPECT_EQ(std::string::npos, run(operator_api::prometheus_text(*agent_, nothing)).find("hidden"));
}

TEST_F(PrometheusTest, Scrape) {
  const Reply reply = exchange(tests::make_request("GET", "/metrics", "", ""));
  EXPECT_EQ(200, reply.status);
  EXPECT_EQ("text/plain; version=0.0.4; charset=utf-8", header(reply, "Content-Type"));
  EXPECT_TRUE(reply.body.ends_with('\n'));
}

}  // namespace
