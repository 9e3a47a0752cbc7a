#include "proto/json_write.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <string>
#include <string_view>

#include "proto/mesos/v1/agent/agent.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace proto {
namespace {

using namespace std::string_view_literals;
using mesos::v1::agent::Response;

std::string write(const google::protobuf::Message& message, const JsonWriteOptions& options = {}) {
  std::string out;
  append_json(message, &out, options);
  return out;
}

TEST(JsonWrite, WritesOneLineInTheOrderOfDeclaration) {
  Response response;
  response.mutable_get_health()->set_healthy(true);
  response.set_type(Response::GET_HEALTH);
  // recorded
  EXPECT_EQ(write(response), R"({"type":"GET_HEALTH","get_health":{"healthy":true}})");

  // TaskState declares them in another order than by number.
  mesos::v1::ContainerStatus status;
  status.set_executor_pid(2443);
  status.add_network_infos()->add_ip_addresses()->set_ip_address("127.0.0.1");
  status.mutable_container_id()->set_value("x");
  EXPECT_EQ(write(status),
            R"({"container_id":{"value":"x"},"network_infos":[{"ip_addresses":)"
            R"([{"protocol":"IPv4","ip_address":"127.0.0.1"}]}],"executor_pid":2443})");
}

TEST(JsonWrite, AppendsToWhatIsThere) {
  std::string out = "58\n";
  append_json(mesos::v1::Labels(), &out);
  EXPECT_EQ(out, "58\n{}");
}

TEST(JsonWrite, WritesARecordOfOutput) {
  mesos::v1::agent::ProcessIO io;
  io.set_type(mesos::v1::agent::ProcessIO::DATA);
  io.mutable_data()->set_type(mesos::v1::agent::ProcessIO::Data::STDOUT);
  io.mutable_data()->set_data("out\n");
  // recorded
  EXPECT_EQ(write(io), R"({"type":"DATA","data":{"type":"STDOUT","data":"b3V0Cg=="}})");
}

TEST(JsonWrite, LeavesOutWhatIsUnset) {
  EXPECT_EQ(write(Response()), "{}");
  Response response;
  response.set_type(Response::GET_OPERATIONS);
  response.mutable_get_operations();
  // recorded
  EXPECT_EQ(write(response), R"({"type":"GET_OPERATIONS","get_operations":{}})");
}

TEST(JsonWrite, WritesZerosThatAreSet) {
  mesos::v1::ResourceStatistics statistics;
  statistics.set_timestamp(0);
  statistics.set_mem_swap_bytes(0);
  EXPECT_EQ(write(statistics), R"({"timestamp":0.0,"mem_swap_bytes":0})");
  mesos::v1::Flag flag;
  flag.set_name("");
  EXPECT_EQ(write(flag), R"({"name":""})");
}

TEST(JsonWrite, WritesExplicitDefaultsOfUnsetFields) {
  mesos::v1::FrameworkInfo framework;
  framework.set_user("root");
  framework.set_name("f");
  // `role` has a default, too, but is deprecated.
  EXPECT_EQ(write(framework),
            R"({"user":"root","name":"f","failover_timeout":0.0,"checkpoint":false})");
  framework.set_role("*");
  EXPECT_EQ(write(framework),
            R"({"user":"root","name":"f","failover_timeout":0.0,"checkpoint":false,"role":"*"})");
  EXPECT_EQ(write(mesos::v1::CommandInfo()), R"({"shell":true})");
  EXPECT_EQ(write(mesos::v1::LinuxInfo()), R"({"share_cgroups":true})");
  EXPECT_EQ(write(mesos::v1::DrainConfig()), R"({"mark_gone":false})");
  EXPECT_EQ(write(mesos::v1::Filters()), R"({"refuse_seconds":5.0})");
  mesos::v1::AgentInfo agent;
  agent.set_hostname("h");
  EXPECT_EQ(write(agent), R"({"hostname":"h","port":5051})");
  mesos::v1::Environment::Variable variable;
  variable.set_name("A");
  EXPECT_EQ(write(variable), R"({"name":"A","type":"VALUE"})");
}

TEST(JsonWrite, WritesNumbersBare) {
  mesos::v1::FileInfo file;
  file.set_path("/");
  file.set_nlink(-2);
  file.set_size(18446744073709551615u);
  file.mutable_mtime()->set_nanoseconds(-9223372036854775807 - 1);
  file.set_mode(4294967295u);
  EXPECT_EQ(write(file), R"({"path":"/","nlink":-2,"size":18446744073709551615,)"
                         R"("mtime":{"nanoseconds":-9223372036854775808},"mode":4294967295})");
  mesos::v1::Metric metric;
  metric.set_name("m");
  metric.set_value(2147483648);
  EXPECT_EQ(write(metric), R"({"name":"m","value":2147483648.0})");
}

TEST(JsonWrite, GuardsAgainstWhatIsNoNumber) {
  mesos::v1::Metric metric;
  metric.set_name("m");
  metric.set_value(std::nan(""));
  EXPECT_EQ(write(metric), R"({"name":"m"})");
  metric.set_value(HUGE_VAL);
  EXPECT_EQ(write(metric), R"({"name":"m","value":"Infinity"})");
}

TEST(JsonWrite, WritesLists) {
  mesos::v1::HealthCheck::HTTPCheckInfo check;
  check.set_port(80);
  check.add_statuses(200);
  check.add_statuses(204);
  EXPECT_EQ(write(check), R"({"protocol":"IPv4","port":80,"statuses":[200,204]})");
  mesos::v1::CapabilityInfo capabilities;
  capabilities.add_capabilities(mesos::v1::CapabilityInfo::CHOWN);
  capabilities.add_capabilities(mesos::v1::CapabilityInfo::SYS_ADMIN);
  EXPECT_EQ(write(capabilities), R"({"capabilities":["CHOWN","SYS_ADMIN"]})");
  mesos::v1::Value::Set set;
  set.add_item("a");
  set.add_item("");
  EXPECT_EQ(write(set), R"({"item":["a",""]})");
}

TEST(JsonWrite, WritesMapsAsSortedObjects) {
  mesos::v1::agent::Call::LaunchContainer launch;
  launch.mutable_container_id()->set_value("x");
  (*launch.mutable_limits())["mem"].set_value(HUGE_VAL);
  (*launch.mutable_limits())["cpus"].set_value(1.5);
  (*launch.mutable_limits())["a\"b"].set_value(2);
  EXPECT_EQ(write(launch), R"({"container_id":{"value":"x"},"limits":{"a\"b":{"value":2.0},)"
                           R"("cpus":{"value":1.5},"mem":{"value":"Infinity"}}})");
  mesos::v1::Volume::Source::CSIVolume::StaticProvisioning provisioning;
  (*provisioning.mutable_volume_context())["k"] = "v";
  EXPECT_EQ(write(provisioning), R"({"volume_context":{"k":"v"}})");
}

TEST(JsonWrite, ShowsEmptyListsOfTheTypesAskedFor) {
  const std::array<const google::protobuf::Descriptor*, 2> types = {
      Response::GetTasks::descriptor(), Response::GetExecutors::descriptor()};
  Response response;
  response.set_type(Response::GET_STATE);
  auto* state = response.mutable_get_state();
  auto* task = state->mutable_get_tasks()->add_launched_tasks();
  task->set_name("t");
  state->mutable_get_executors();
  state->mutable_get_frameworks();
  EXPECT_EQ(write(response, {.with_empty_lists = types}),
            R"({"type":"GET_STATE","get_state":{"get_tasks":{"pending_tasks":[],)"
            R"("queued_tasks":[],"launched_tasks":[{"name":"t"}],"terminated_tasks":[],)"
            R"("completed_tasks":[]},"get_executors":{"executors":[],"completed_executors":[]},)"
            R"("get_frameworks":{}}})");
}

TEST(JsonWrite, EscapesOnlyWhatMustBe) {
  auto quote = [](std::string_view text) {
    std::string out;
    append_json_string(text, &out);
    return out;
  };
  EXPECT_EQ(quote(""), R"("")");
  EXPECT_EQ(quote("/a/b"), R"("/a/b")");
  EXPECT_EQ(quote("\"\\\b\f\n\r\t"), R"("\"\\\b\f\n\r\t")");
  EXPECT_EQ(quote("\0\x01\x1f\x7f"sv), "\"\\u0000\\u0001\\u001F\x7f\"");
  EXPECT_EQ(quote("\xc3\xa9 \xff\xfe"), "\"\xc3\xa9 \xff\xfe\"");
  EXPECT_EQ(quote("<>&'"), R"("<>&'")");
  EXPECT_EQ(quote("a\nb"), R"("a\nb")");
}

}  // namespace
TEST(JsonWrite, SortedByName) {
  mesos::v1::ContainerStatus status;
  status.set_executor_pid(1);
  status.mutable_container_id()->set_value("b");
  status.mutable_container_id()->mutable_parent()->set_value("a");
  std::string text;
  proto::append_json(status, &text, {.sorted = true});
  EXPECT_EQ(R"({"container_id":{"parent":{"value":"a"},"value":"b"},"executor_pid":1})", text);
}

}  // namespace proto
