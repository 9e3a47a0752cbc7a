// The endpoints besides /api/v1 and /files.
#include <gflags/gflags.h>
#include <glog/logging.h>
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <set>

#include "agent/metrics.h"
#include "operator_api/routes.h"
#include "tests/agent/cluster.h"
#include "tests/operator_api/support.h"

namespace {

using base::concat;
using google::protobuf::Struct;
using operator_api::find_route;
using operator_api::full_path;

TEST(Routes, RulesDisableAnEndpointHoweverItIsSpelt) {
  const agent::FirewallRules rules{{"/slave(1)/state", "/files/read/", "/flags", "/nope"}};
  for (const char* path : {"/state", "/slave(1)/state", "//state/x/", "/files/read", "/flags"}) {
    EXPECT_TRUE(operator_api::is_disabled(*find_route(path), rules)) << path;
  }
  for (const char* path : {"/files/browse", "/api/v1", "/metrics"}) {
    EXPECT_FALSE(operator_api::is_disabled(*find_route(path), rules)) << path;
  }
}

TEST(Routes, WhatAnybodyGetsTo) {
  std::set<std::string_view> open;
  for (const auto& route : operator_api::routes()) {
    if (route.access.realm == agent::Realm::kNone) open.insert(route.path);
  }
  EXPECT_EQ((std::set<std::string_view>{"health", "help", "system/stats.json", "version"}), open);
  EXPECT_EQ(agent::Realm::kReadwrite, find_route("/api/v1/operator")->access.realm);
  EXPECT_EQ(agent::Realm::kExecutor, find_route("/slave(1)/api/v1/executor")->access.realm);
  EXPECT_TRUE(operator_api::is_authorized_path("/metrics/snapshot"));
  EXPECT_FALSE(operator_api::is_authorized_path("/slave(1)/metrics/snapshot"));
  EXPECT_FALSE(operator_api::is_authorized_path("/state"));
}

class EndpointsTest : public tests::ApiTest {
 protected:
  Reply get(const std::string& target) {
    return exchange(tests::make_request("GET", target, "", ""));
  }

  // The answer, which must be JSON and 200.
  Struct json(const std::string& target) {
    const Reply reply = get(target);
    EXPECT_EQ(200, reply.status) << reply.body;
    EXPECT_EQ("application/json", header(reply, "Content-Type"));
    Struct object;
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(reply.body, &object).ok())
        << reply.body;
    return object;
  }

  void launch(const std::string& id) {
    ASSERT_EQ(200, call(concat(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":)",
                               R"({"value":")", id, R"("},"command":{"value":"sleep 1000"}}})"))
                       .status);
  }

  const google::FlagSaver restore_;
};

// The text between two marks.
std::string between(const std::string& text, const std::string& from, const std::string& to) {
  const size_t start = text.find(from);
  EXPECT_NE(std::string::npos, start) << from << " in " << text;
  const size_t end = text.find(to, start + from.size());
  EXPECT_NE(std::string::npos, end) << to << " in " << text;
  return text.substr(start + from.size(), end - start - from.size());
}

TEST(Routes, PathsAreUnique) {
  std::set<std::string> paths;
  for (const auto& route : operator_api::routes()) {
    EXPECT_TRUE(paths.insert(full_path(route)).second) << route.path;
    EXPECT_EQ(&route, find_route(full_path(route)));
    EXPECT_EQ(&route, find_route(concat("/", route.path, "/")));
    EXPECT_EQ(&route, find_route(concat("/slave(1)/", route.path)));
    EXPECT_EQ(route.exact, find_route(concat("/", route.path, "/below/it")) != &route);
    EXPECT_TRUE(route.help.ends_with('.')) << route.path;
  }
}

TEST(Routes, TheLongestCounts) {
  EXPECT_EQ("metrics", find_route("/metrics")->path);
  EXPECT_EQ("metrics/snapshot", find_route("/metrics/snapshot/x")->path);
  EXPECT_EQ(nullptr, find_route("/metrics/x"));
  EXPECT_EQ(nullptr, find_route("/files"));
  EXPECT_EQ(nullptr, find_route("/state.json"));
  EXPECT_EQ("/slave(1)/state", full_path(*find_route("/state")));
  EXPECT_EQ("/files/read", full_path(*find_route("/files/read")));
}

TEST_F(EndpointsTest, EveryJsonEndpointSpeaksJsonp) {
  for (const char* path :
       {"/state", "/flags", "/version", "/containers", "/monitor/statistics", "/metrics/snapshot",
        "/system/stats.json", "/files/debug", "/containerizer/debug"}) {
    SCOPED_TRACE(path);
    const std::string plain = get(path).body;
    const Reply reply = get(concat(std::string_view(path), "?jsonp=f"));
    EXPECT_EQ("text/javascript", header(reply, "Content-Type"));
    EXPECT_TRUE(reply.body.starts_with("f(" + plain.substr(0, 20))) << reply.body;
    EXPECT_TRUE(reply.body.ends_with(plain.substr(plain.size() - 1) + ")")) << reply.body;
    EXPECT_EQ(400, get(concat(std::string_view(path), "?jsonp=f()")).status);
  }
}

TEST_F(EndpointsTest, StateOfACluster) {
  agent_->state = tests::make_state();
  agent_->state.master_hostname = "master.example";
  agent_->state.drain_config.emplace();
  agent_->state.estimated_drain_start_time.emplace().set_nanoseconds(7'500'000'000);
  agent_->info.mutable_id()->set_value("agent-1");
  auto& reserved = *agent_->info.add_resources();
  reserved.set_name("cpus");
  reserved.set_type(mesos::v1::Value::SCALAR);
  reserved.mutable_scalar()->set_value(3);
  auto& reservation = *reserved.add_reservations();
  reservation.set_type(mesos::v1::Resource::ReservationInfo::DYNAMIC);
  reservation.set_role("eng");
  reservation.set_principal("p");
  const std::string body = get("/state").body;
  EXPECT_EQ("\"agent-1\"", between(body, R"("id":)", ","));
  EXPECT_EQ("\"master.example\"", between(body, R"("master_hostname":)", ","));
  EXPECT_EQ("7", between(body, R"("estimated_drain_start_time_seconds":)", ","));
  EXPECT_EQ(R"("eng":{"disk":0.0,"mem":0.0,"gpus":0.0,"cpus":3.0})",
            between(body, R"("reserved_resources":{)", "}}").append("}"));
  EXPECT_EQ(R"({"name":"cpus","type":"SCALAR","scalar":{"value":3.0},"role":"eng",)"
            R"("reservation":{"principal":"p"},)"
            R"("reservations":[{"type":"DYNAMIC","role":"eng","principal":"p"}]})",
            between(body, R"("reserved_resources_full":{"eng":[)", "]},\"unreserved"));
  EXPECT_EQ(R"("disk":0.0,"mem":0.0,"gpus":0.0,"cpus":1.85)",
            between(body, R"("unreserved_resources_allocated":{)", "}"));

  const std::string executor = between(body, R"("executors":[)", R"("completed_executors")");
  EXPECT_TRUE(executor.starts_with(
      R"({"id":"executor-1","name":"name of executor-1","source":"source of executor-1",)"
      R"("container":"container-1","directory":"/sandboxes/container-1",)"
      R"("resources":{"disk":0.0,"mem":0.0,"gpus":0.0,"cpus":0.85},"role":"role",)"
      R"("type":"CUSTOM","tasks":[{"id":"launched","name":"name of launched",)"
      R"("framework_id":"framework-1","executor_id":"","slave_id":"agent-1",)"
      R"("state":"TASK_RUNNING","resources":{"disk":0.0,"mem":0.0,"gpus":0.0,"cpus":0.5},)"
      R"("role":"role","statuses":[{"state":"TASK_RUNNING","timestamp":1.5,"healthy":true}]}],)"
      R"("queued_tasks":[{"id":"queued","name":"name of queued","slave_id":"agent-1",)"
      R"("resources":{"disk":0.0,"mem":0.0,"gpus":0.0,"cpus":0.25},"role":"role",)"
      R"("command":{"shell":true,"value":"sleep 1000"}}],"completed_tasks":[{"id":"completed",)"))
      << executor;
  EXPECT_NE(std::string::npos, executor.find(R"({"id":"terminated")"));
  EXPECT_NE(std::string::npos, body.find(R"("completed_executors":[{"id":"executor-0")"));
  EXPECT_NE(std::string::npos,
            body.find(R"("frameworks":[{"id":"framework-1","name":"name of framework-1",)"
                      R"("user":"root","failover_timeout":0.0,"checkpoint":false,"hostname":"",)"
                      R"("roles":["role"],"executors":[)"));
  EXPECT_NE(std::string::npos, body.find(R"("completed_frameworks":[{"id":"framework-0")"));
}

TEST_F(EndpointsTest, ExecutorsContainers) {
  launch("container-1");
  launch("standalone");
  EXPECT_EQ("[]", get("/containers").body);
  EXPECT_EQ("[]", get("/monitor/statistics").body);
  agent_->state = tests::make_state();
  const std::string names = R"("executor_id":"executor-1","executor_name":"name of executor-1",)"
                            R"("framework_id":"framework-1","source":"source of executor-1",)";
  const std::string containers = get("/containers").body;
  EXPECT_TRUE(containers.starts_with(
      concat(R"([{"container_id":"container-1",)", names, R"("statistics":{"timestamp":)")))
      << containers;
  EXPECT_NE(std::string::npos,
            containers.find(R"(},"status":{"container_id":{"value":"container-1"},)"
                            R"("executor_pid":)"))
      << containers;
  const std::string statistics = get("/monitor/statistics").body;
  EXPECT_TRUE(statistics.starts_with("[{" + names + R"("statistics":{"timestamp":)")) << statistics;

  for (const char* found : {"container_id=container-1", "framework_id=framework-1",
                            "framework_id=framework-1&executor_id=executor-1"}) {
    EXPECT_NE("[]", get(concat("/containers?", std::string_view(found))).body) << found;
  }
  for (const char* none :
       {"container_id=standalone", "framework_id=x", "framework_id=framework-1&executor_id=x"}) {
    EXPECT_EQ("[]", get(concat("/containers?", std::string_view(none))).body) << none;
  }
  for (const char* bad :
       {"executor_id=x", "container_id=a&framework_id=b", "container_id=a&executor_id=b"}) {
    EXPECT_EQ(400, get(concat("/containers?", std::string_view(bad))).status) << bad;
  }
  // Without a container there are its names only, and no statistics.
  agent_->state.frameworks.at("framework-1").executors.at("executor-1").container_id =
      isolators::ContainerId::root_of("none");
  EXPECT_EQ(R"([{"container_id":"none",)" + names.substr(0, names.size() - 1) + "}]",
            get("/containers").body);
  EXPECT_EQ("[]", get("/monitor/statistics").body);
}

TEST_F(EndpointsTest, ARunningContainerIsNotPending) {
  EXPECT_EQ(R"({"pending":[]})", get("/containerizer/debug").body);
  launch("c");
  EXPECT_EQ(R"({"pending":[]})", get("/containerizer/debug").body);
}

TEST_F(EndpointsTest, ToggleLogging) {
  const auto text = [this](const std::string& query) {
    const Reply reply = get("/logging/toggle" + query);
    return concat(reply.status, " ", reply.body);
  };
  EXPECT_EQ("200 0\n", text(""));
  EXPECT_EQ("400 Expecting 'duration=value' in query.\n", text("?level=1"));
  EXPECT_EQ("400 Expecting 'level=value' in query.\n", text("?duration=1secs"));
  EXPECT_EQ("400 Failed to convert 'x' to number.\n", text("?level=x&duration=1secs"));
  EXPECT_EQ("400 Invalid level '-1'.\n", text("?level=-1&duration=1secs"));
  EXPECT_EQ("400 Failed to convert '' to number.\n", text("?level=1&duration=x"));
  EXPECT_EQ("200 ", text("?level=3&duration=1hrs"));
  EXPECT_EQ("200 3\n", text(""));
  EXPECT_EQ("200 ", text("?level=0&duration=1hrs"));
  EXPECT_EQ("200 0\n", text(""));
}

TEST_F(EndpointsTest, Metrics) {
  const Struct metrics = json("/metrics/snapshot?timeout=5secs");
  EXPECT_EQ(agent::collect_metrics(*agent_).size(), static_cast<size_t>(metrics.fields_size()));
  EXPECT_GT(metrics.fields().at("system/mem_total_bytes").number_value(), 0);
  const Reply bad = get("/metrics/snapshot?timeout=x");
  EXPECT_EQ(400, bad.status);
  EXPECT_EQ("Invalid timeout 'x': Failed to convert '' to number.\n", bad.body);
}

TEST_F(EndpointsTest, Help) {
  const std::string all = get("/help").body;
  for (const auto& route : operator_api::routes()) {
    EXPECT_NE(std::string::npos, all.find(">" + full_path(route) + "<")) << route.path;
  }
  const std::string files = get("/help/files").body;
  EXPECT_NE(std::string::npos, files.find(">/files/read<"));
  EXPECT_EQ(std::string::npos, files.find(">/slave(1)/state<"));
  EXPECT_NE(std::string::npos, get("/help/slave(1)/state/").body.find(">/slave(1)/state<"));
  EXPECT_EQ(404, get("/help/nope").status);
}

}  // namespace
