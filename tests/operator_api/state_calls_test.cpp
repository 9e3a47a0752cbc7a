// Frameworks, executors and tasks as the calls show them.
#include <gtest/gtest.h>

#include "proto/mesos/v1/agent/agent.pb.h"
#include "tests/agent/cluster.h"
#include "tests/operator_api/support.h"

namespace {

using Response = mesos::v1::agent::Response;

class StateCallsTest : public tests::ApiTest {
 protected:
  Response ask(const std::string& type) {
    const Reply reply = call(R"({"type":")" + type + R"("})");
    EXPECT_EQ(200, reply.status) << reply.body;
    Response response;
    EXPECT_TRUE(proto::parse_json(reply.body, &response)) << reply.body;
    return response;
  }

  static std::vector<std::string> ids(const auto& tasks) {
    std::vector<std::string> found;
    for (const auto& task : tasks) found.push_back(task.task_id().value());
    return found;
  }
  using Ids = std::vector<std::string>;
};

TEST_F(StateCallsTest, EmptyAsMesosWritesIt) {
  const std::string tasks =
      R"({"pending_tasks":[],"queued_tasks":[],"launched_tasks":[],"terminated_tasks":[],)"
      R"("completed_tasks":[]})";
  const std::string executors = R"({"executors":[],"completed_executors":[]})";
  const std::string frameworks = R"({"frameworks":[],"completed_frameworks":[]})";
  EXPECT_EQ(R"({"type":"GET_TASKS","get_tasks":)" + tasks + "}",
            call(R"({"type":"GET_TASKS"})").body);
  EXPECT_EQ(R"({"type":"GET_STATE","get_state":{"get_tasks":)" + tasks + R"(,"get_executors":)" +
                executors + R"(,"get_frameworks":)" + frameworks + "}}",
            call(R"({"type":"GET_STATE"})").body);
  EXPECT_EQ(R"({"type":"GET_OPERATIONS","get_operations":{}})",
            call(R"({"type":"GET_OPERATIONS"})").body);
  EXPECT_EQ(R"({"type":"GET_RESOURCE_PROVIDERS","get_resource_providers":{}})",
            call(R"({"type":"GET_RESOURCE_PROVIDERS"})").body);
}

TEST_F(StateCallsTest, EveryTaskIsInItsList) {
  agent_->state = tests::make_state();
  const auto tasks = ask("GET_TASKS").get_tasks();
  EXPECT_EQ(Ids{"pending"}, ids(tasks.pending_tasks()));
  EXPECT_EQ(Ids{"queued"}, ids(tasks.queued_tasks()));
  EXPECT_EQ(Ids{"launched"}, ids(tasks.launched_tasks()));
  EXPECT_EQ(Ids{"terminated"}, ids(tasks.terminated_tasks()));
  EXPECT_EQ((Ids{"completed", "completed-0"}), ids(tasks.completed_tasks()));
  EXPECT_EQ(mesos::v1::TASK_STAGING, tasks.pending_tasks(0).state());
  EXPECT_EQ(mesos::v1::TASK_STAGING, tasks.queued_tasks(0).state());
  EXPECT_EQ("framework-1", tasks.queued_tasks(0).framework_id().value());
  EXPECT_EQ(mesos::v1::TASK_RUNNING, tasks.launched_tasks(0).state());
  // The vocabulary is v1's.
  const std::string text = call(R"({"type":"GET_TASKS"})").body;
  EXPECT_NE(std::string::npos, text.find(R"("agent_id":{"value":"agent-1"})"));
  EXPECT_NE(std::string::npos, text.find("REASON_AGENT_RESTARTED"));
}

TEST_F(StateCallsTest, ExecutorsAndFrameworks) {
  agent_->state = tests::make_state();
  const auto state = ask("GET_STATE").get_state();
  const auto& executors = state.get_executors();
  ASSERT_EQ(1, executors.executors_size());
  EXPECT_EQ("executor-1", executors.executors(0).executor_info().executor_id().value());
  ASSERT_EQ(1, executors.completed_executors_size());
  EXPECT_EQ("executor-0", executors.completed_executors(0).executor_info().executor_id().value());
  const auto& frameworks = state.get_frameworks();
  ASSERT_EQ(1, frameworks.frameworks_size());
  EXPECT_EQ("framework-1", frameworks.frameworks(0).framework_info().id().value());
  ASSERT_EQ(1, frameworks.completed_frameworks_size());
  EXPECT_EQ("framework-0", frameworks.completed_frameworks(0).framework_info().id().value());
  // The parts are what the calls of their own answer.
  EXPECT_EQ(state.get_executors().SerializeAsString(),
            ask("GET_EXECUTORS").get_executors().SerializeAsString());
  EXPECT_EQ(state.get_frameworks().SerializeAsString(),
            ask("GET_FRAMEWORKS").get_frameworks().SerializeAsString());
  EXPECT_EQ(state.get_tasks().SerializeAsString(),
            ask("GET_TASKS").get_tasks().SerializeAsString());
}

TEST_F(StateCallsTest, CompletedFrameworksCountForTasksAndExecutors) {
  agent_->state = tests::make_state();
  auto& framework = agent_->state.completed_frameworks.front();
  agent::Executor executor = tests::make_executor("old", "container-old", "/sandboxes/old");
  executor.terminated_tasks.push_back(tests::make_task("drained", mesos::v1::TASK_LOST, 1));
  framework.completed_executors.push_back(std::move(executor));
  EXPECT_EQ((Ids{"terminated", "drained"}), ids(ask("GET_TASKS").get_tasks().terminated_tasks()));
  EXPECT_EQ(2, ask("GET_EXECUTORS").get_executors().completed_executors_size());
}

TEST_F(StateCallsTest, AgentAndItsDraining) {
  EXPECT_EQ(R"({"type":"GET_AGENT","get_agent":{"agent_info":{"hostname":"host","port":5051}}})",
            call(R"({"type":"GET_AGENT"})").body);
  agent_->info.mutable_id()->set_value("agent-1");
  agent_->state.drain_config.emplace().set_mark_gone(true);
  agent_->state.estimated_drain_start_time.emplace().set_nanoseconds(5'000'000'000);
  const auto shown = ask("GET_AGENT").get_agent();
  EXPECT_EQ("agent-1", shown.agent_info().id().value());
  EXPECT_TRUE(shown.drain_config().mark_gone());
  EXPECT_EQ(5'000'000'000, shown.estimated_drain_start_time().nanoseconds());
}

TEST_F(StateCallsTest, OperationsAndProviders) {
  mesos::v1::Operation operation;
  operation.mutable_info()->set_type(mesos::v1::Offer::Operation::RESERVE);
  operation.mutable_latest_status()->set_state(mesos::v1::OPERATION_PENDING);
  operation.mutable_uuid()->set_value("0123456789abcdef");
  agent_->state.operations.push_back(operation);
  agent::ResourceProvider provider;
  provider.info.set_type("type");
  provider.info.set_name("name");
  auto& disk = provider.total_resources.emplace_back();
  disk.set_name("disk");
  disk.set_type(mesos::v1::Value::SCALAR);
  agent_->state.resource_providers.push_back(provider);
  const auto operations = ask("GET_OPERATIONS").get_operations();
  ASSERT_EQ(1, operations.operations_size());
  EXPECT_EQ(operation.SerializeAsString(), operations.operations(0).SerializeAsString());
  const auto providers = ask("GET_RESOURCE_PROVIDERS").get_resource_providers();
  ASSERT_EQ(1, providers.resource_providers_size());
  EXPECT_EQ("name", providers.resource_providers(0).resource_provider_info().name());
  EXPECT_EQ(1, providers.resource_providers(0).total_resources_size());
}

TEST_F(StateCallsTest, ExecutorsContainersAreAlwaysListed) {
  const std::string launch =
      R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"container-1"},)"
      R"("command":{"value":"sleep 1000"}}})";
  ASSERT_EQ(200, call(launch).status);
  EXPECT_EQ(0, ask("GET_CONTAINERS").get_containers().containers_size());
  agent_->state = tests::make_state();
  const auto containers = ask("GET_CONTAINERS").get_containers();
  ASSERT_EQ(1, containers.containers_size());
  const auto& entry = containers.containers(0);
  EXPECT_EQ("framework-1", entry.framework_id().value());
  EXPECT_EQ("executor-1", entry.executor_id().value());
  EXPECT_EQ("name of executor-1", entry.executor_name());
  EXPECT_EQ("container-1", entry.container_id().value());
  EXPECT_TRUE(entry.has_container_status());
}

}  // namespace
