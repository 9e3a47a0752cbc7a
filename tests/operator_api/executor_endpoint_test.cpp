// POST /api/v1/executor: the order of checks, the texts, and the stream.

#include <memory>

#include "agent/tasks/tasks.h"
#include "base/uuid.h"
#include "proto/base64.h"
#include "tests/operator_api/support.h"

namespace {

using namespace tests;
using base::concat;

std::string make_uuid() {
  std::string text;
  proto::append_base64(base::make_uuid_bytes(), &text);
  return text;
}

constexpr char kIds[] = R"("executor_id":{"value":"e"},"framework_id":{"value":"f"})";

class ExecutorEndpointTest : public ApiTest {
 protected:
  void SetUp() override {
    agent_->info.mutable_id()->set_value("S0");
    agent::TaskServices services;
    services.to_master = [](const auto&) { return true; };
    services.to_process = [](const auto&, const auto&) {};
    services.has_resources = [](const auto&) { return true; };
    tasks_ = std::make_unique<agent::Tasks>(*agent_, std::move(services));
    agent_->tasks = tasks_.get();
  }

  void TearDown() override {
    connections_.cancel();
    agent_->tasks = nullptr;
    tasks_.reset();
    ApiTest::TearDown();
  }

  // A framework "f" whose executor "e" has task "t".
  void run_task() {
    mesos::internal::RunTaskMessage message;
    auto& framework = *message.mutable_framework();
    framework.set_user("root");
    framework.set_name("framework");
    framework.mutable_id()->set_value("f");
    auto& task = *message.mutable_task();
    task.set_name("t");
    task.mutable_task_id()->set_value("t");
    task.mutable_agent_id()->set_value("S0");
    task.mutable_executor()->mutable_executor_id()->set_value("e");
    task.mutable_executor()->mutable_command()->set_value("exec sleep 1000");
    tasks_->run_task(message);
    await([&] {
      return agent_->state.frameworks.contains("f") &&
             agent_->state.frameworks.at("f").executors.contains("e");
    });
  }

  agent::Executor& executor() { return agent_->state.frameworks.at("f").executors.at("e"); }

  Reply send(std::string_view call) {
    return exchange(json_request(call, "/slave(1)/api/v1/executor"));
  }

  void subscribe(http_test::Peer& peer) {
    run([](http_test::Peer& to, std::string request) -> base::Task<void> {
      EXPECT_TRUE(co_await to.send(std::move(request)));
    }(peer, json_request(concat("{", kIds, R"(,"type":"SUBSCRIBE","subscribe":{}})"),
                         "/api/v1/executor")));
  }

  // What comes until then is added to `received`.
  void receive_until(http_test::Peer& peer, std::string_view end, std::string& received) {
    run([](http_test::Peer& from, std::string& all, std::string_view wanted) -> base::Task<void> {
      while (all.find(wanted) == std::string::npos) {
        const std::string piece = co_await from.receive_some();
        if (piece.empty()) co_return;
        all += piece;
      }
    }(peer, received, end));
    EXPECT_NE(std::string::npos, received.find(end)) << received;
  }

  static std::string update(std::string_view status) {
    return concat("{", kIds, R"(,"type":"UPDATE","update":{"status":)", status, "}}");
  }

  std::unique_ptr<agent::Tasks> tasks_;
};

TEST_F(ExecutorEndpointTest, BadCallsAreRefusedWithAReason) {
  run_task();
  const std::string uuid = make_uuid();
  const struct {
    std::string call;
    int status;
    std::string reply;
  } kCases[] = {
      {"{", 400, "Failed to parse body into JSON: "},
      {concat("{", kIds, "}"), 400, "Expecting 'type' to be present"},
      {R"({"type":"HEARTBEAT"})", 400, "Failed to convert JSON into Call protobuf: "},
      {concat("{", kIds, R"(,"type":"SUBSCRIBE"})"), 400, "Expecting 'subscribe' to be present"},
      {concat("{", kIds, R"(,"type":"UPDATE"})"), 400, "Expecting 'update' to be present"},
      {concat("{", kIds, R"(,"type":"MESSAGE"})"), 400, "Expecting 'message' to be present"},
      {update(R"({"task_id":{"value":"t"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR"})"),
       400, "Expecting 'uuid' to be present"},
      {update(R"({"task_id":{"value":"t"},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR",)"
              R"("uuid":"YWJj"})"),
       400, "expecting 16 bytes, received 3"},
      {update(concat(R"({"task_id":{"value":"t"},"state":"TASK_RUNNING","uuid":")", uuid, R"("})")),
       400, "with invalid source, expecting 'SOURCE_EXECUTOR'"},
      {update(concat(R"({"task_id":{"value":"t"},"state":"TASK_STAGING",)"
                     R"("source":"SOURCE_EXECUTOR","uuid":")",
                     uuid, R"("})")),
       400, "which is not allowed"},
      {update(concat(R"({"task_id":{"value":"t"},"state":"TASK_RUNNING","executor_id":)"
                     R"({"value":"x"},"source":"SOURCE_EXECUTOR","uuid":")",
                     uuid, R"("})")),
       400, "ExecutorID in Call: e does not match ExecutorID in TaskStatus: x"},
      {update(concat(R"({"task_id":{"value":"t"},"state":"TASK_RUNNING","check_status":)"
                     R"({"type":"TCP"},"source":"SOURCE_EXECUTOR","uuid":")",
                     uuid, R"("})")),
       400, "Expecting 'tcp' to be set"},
      {R"({"type":"MESSAGE","message":{"data":""},"framework_id":{"value":"x"},)"
       R"("executor_id":{"value":"e"}})",
       400, "Framework cannot be found"},
      {R"({"type":"MESSAGE","message":{"data":""},"framework_id":{"value":"f"},)"
       R"("executor_id":{"value":"x"}})",
       400, "Executor cannot be found"},
      {concat("{", kIds, R"(,"type":"MESSAGE","message":{"data":""}})"), 403,
       "Executor is not subscribed"},
      // Answered before ids are looked at: executors send made-up ones.
      {R"({"type":"HEARTBEAT","framework_id":{"value":"x"},"executor_id":{"value":"x"}})", 202, ""},
  };
  for (const auto& row : kCases) {
    const Reply reply = send(row.call);
    EXPECT_EQ(row.status, reply.status) << row.call;
    EXPECT_NE(std::string::npos, reply.body.find(row.reply)) << row.call << "\n" << reply.body;
  }
}

TEST_F(ExecutorEndpointTest, OfTheEventsAClientTakesOneForm) {
  run_task();
  const std::string call = concat("{", kIds, R"(,"type":"SUBSCRIBE","subscribe":{}})");
  const Reply reply = exchange(
      make_request("POST", "/api/v1/executor",
                   "Content-Type: application/json\r\nAccept: application/recordio\r\n", call));
  EXPECT_EQ(406, reply.status);
  EXPECT_EQ("Expecting 'Accept' to allow 'application/x-protobuf' or 'application/json'",
            reply.body);
}

TEST_F(ExecutorEndpointTest, EventsComeAsTheyHappen) {
  run_task();
  http_test::Peer peer = connect();
  subscribe(peer);
  std::string received;
  receive_until(peer, R"("type":"LAUNCH")", received);
  EXPECT_TRUE(received.starts_with("HTTP/1.1 200 OK\r\n"));
  EXPECT_NE(std::string::npos, received.find("Content-Type: application/json\r\n"));
  EXPECT_LT(received.find(R"("type":"SUBSCRIBED")"), received.find(R"("type":"LAUNCH")"));
  EXPECT_EQ(agent::Executor::State::kRunning, executor().state);

  const std::string uuid = make_uuid();
  EXPECT_EQ(202, send(update(concat(R"({"task_id":{"value":"t"},"state":"TASK_RUNNING",)"
                                    R"("source":"SOURCE_EXECUTOR","uuid":")",
                                    uuid, R"("})")))
                     .status);
  receive_until(peer, R"("type":"ACKNOWLEDGED")", received);
  EXPECT_NE(std::string::npos, received.find(uuid));
  EXPECT_EQ(mesos::v1::TASK_RUNNING, executor().launched_tasks.at(0).state());

  // Whoever subscribes next has the stream; this one ends as it should.
  http_test::Peer second = connect();
  subscribe(second);
  receive_until(peer, "\r\n0\r\n\r\n", received);
}

TEST_F(ExecutorEndpointTest, HeartbeatsComeWhenThereIsNothingElse) {
  EXPECT_EQ(30min, agent_->executor_heartbeat_interval);
  agent_->executor_heartbeat_interval = 2ms;
  run_task();
  http_test::Peer peer = connect();
  subscribe(peer);
  std::string received;
  receive_until(peer, R"({"type":"HEARTBEAT"})", received);
  EXPECT_LT(received.find(R"("type":"LAUNCH")"), received.find("HEARTBEAT"));
  received.clear();
  receive_until(peer, R"({"type":"HEARTBEAT"})", received);  // and again
}

TEST_F(ExecutorEndpointTest, WhatIsOneTooManyTheExecutorKeeps) {
  run_task();
  http_test::Peer peer = connect();
  subscribe(peer);
  std::string received;
  receive_until(peer, R"("type":"LAUNCH")", received);
  const auto report = [this](const std::string& task) {
    return send(update(concat(R"({"task_id":{"value":")", task,
                              R"("},"state":"TASK_RUNNING","source":"SOURCE_EXECUTOR","uuid":")",
                              make_uuid(), R"("})")));
  };
  for (int i = 0; i < 100; ++i) ASSERT_EQ(202, report(concat("invented-", i)).status);
  const Reply reply = report("one-more");
  EXPECT_EQ(503, reply.status);
  EXPECT_EQ(
      "Too many updates of tasks that the agent does not know, as 'one-more', wait to be "
      "acknowledged",
      reply.body);
  EXPECT_EQ(202, report("t").status);
}

TEST_F(ExecutorEndpointTest, WhileExecutorsComeBackOnlySubscribingIsPossible) {
  run_task();
  agent_->state.recovering = true;
  const Reply reply = send(concat("{", kIds, R"(,"type":"MESSAGE","message":{"data":""}})"));
  EXPECT_EQ(503, reply.status);
  EXPECT_EQ("Agent has not finished recovery", reply.body);
}

TEST_F(ExecutorEndpointTest, AStandaloneAgentHasNoExecutors) {
  agent_->tasks = nullptr;
  const Reply reply = send(concat("{", kIds, R"(,"type":"SUBSCRIBE","subscribe":{}})"));
  EXPECT_EQ(400, reply.status);
  EXPECT_EQ("Framework cannot be found", reply.body);
}

}  // namespace
