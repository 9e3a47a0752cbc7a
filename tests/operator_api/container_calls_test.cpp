// Calls about containers, with containers.
#include <gtest/gtest.h>

#include <string>

#include "http/recordio.h"
#include "proto/mesos/v1/agent/agent.pb.h"
#include "tests/operator_api/support.h"

namespace {

using base::concat;
using mesos::v1::agent::Response;
using tests::json_request;
using tests::make_request;

constexpr char kRoot[] = R"({"value":"root"})";
constexpr char kChild[] = R"({"value":"child","parent":{"value":"root"}})";
constexpr char kMissing[] = R"({"value":"missing","parent":{"value":"root"}})";

class ContainerCallsTest : public tests::ApiTest {
 protected:
  static std::string about(const std::string& type, const std::string& id,
                           const std::string& rest = "") {
    return concat(R"({"type":")", type, R"(",")", base::to_lower(type), R"(":{"container_id":)", id,
                  rest.empty() ? "" : ",", rest, "}}");
  }
  static std::string shell(const std::string& command) {
    return concat(R"("command":{"value":")", command, R"("})");
  }

  void expect_reply(int status, const std::string& body, const std::string& request) {
    const Reply reply = call(request);
    EXPECT_EQ(status, reply.status) << request;
    EXPECT_EQ(body, reply.body) << request;
    const std::string type = body.empty()    ? ""
                             : status == 200 ? "application/json"
                                             : "text/plain; charset=utf-8";
    EXPECT_EQ(type, header(reply, "Content-Type"));
  }

  bool runs(const std::string& id) {
    return agent_->containers.find(isolators::ContainerId::root_of("root").child(id)) != nullptr;
  }

  // Waits until the condition holds.
  template <typename Condition>
  void await(Condition condition) {
    run([](Condition holds) -> base::Task<void> {
      while (!holds()) co_await base::sleep_for(std::chrono::milliseconds(2));
    }(std::move(condition)));
  }
};

TEST_F(ContainerCallsTest, LaunchWaitRemove) {
  expect_reply(200, "", about("LAUNCH_CONTAINER", kRoot, shell("sleep 1000")));
  expect_reply(202, "", about("LAUNCH_CONTAINER", kRoot, shell("exit 1")));
  expect_reply(200, "", about("LAUNCH_NESTED_CONTAINER", kChild, shell("exit 3")));
  expect_reply(200,
               R"({"type":"WAIT_NESTED_CONTAINER","wait_nested_container":{"exit_status":768}})",
               about("WAIT_NESTED_CONTAINER", kChild));
  // Each call by its other name.
  expect_reply(200, R"({"type":"WAIT_CONTAINER","wait_container":{"exit_status":768}})",
               about("WAIT_CONTAINER", kChild));
  expect_reply(500, "Container has not terminated yet", about("REMOVE_CONTAINER", kRoot));
  expect_reply(200, "", about("REMOVE_NESTED_CONTAINER", kChild));
  expect_reply(200, "", about("REMOVE_CONTAINER", kChild));
  expect_reply(404, "Container root.child cannot be found", about("WAIT_CONTAINER", kChild));

  expect_reply(200, "", about("LAUNCH_CONTAINER", kChild, shell("sleep 1000")));
  expect_reply(500, "Nested container has not terminated yet",
               about("REMOVE_NESTED_CONTAINER", kChild));
  expect_reply(200, "", about("KILL_NESTED_CONTAINER", kChild));
  expect_reply(200, R"({"type":"WAIT_CONTAINER","wait_container":{"exit_status":9}})",
               about("WAIT_CONTAINER", kChild));
  expect_reply(200, "", about("KILL_CONTAINER", kRoot, R"("signal":15)"));
  // Better than Apache Mesos: the end of a standalone container is kept.
  expect_reply(200, R"({"type":"WAIT_CONTAINER","wait_container":{"exit_status":15}})",
               about("WAIT_CONTAINER", kRoot));
  expect_reply(200, R"({"type":"WAIT_CONTAINER","wait_container":{"exit_status":15}})",
               about("WAIT_CONTAINER", kRoot));
  expect_reply(200, "", about("REMOVE_CONTAINER", kRoot));
  expect_reply(404, "Container root cannot be found", about("WAIT_CONTAINER", kRoot));
  expect_reply(404, "Container root cannot be found", about("REMOVE_CONTAINER", kRoot));
}

TEST_F(ContainerCallsTest, Unknown) {
  for (const std::string nested : {"", "NESTED_"}) {
    expect_reply(404, "Container root.missing cannot be found",
                 about(concat("WAIT_", nested, "CONTAINER"), kMissing));
    expect_reply(404, "Container 'root.missing' cannot be found (or is already killed)",
                 about(concat("KILL_", nested, "CONTAINER"), kMissing));
    expect_reply(500, "Unknown root container",
                 about(concat("REMOVE_", nested, "CONTAINER"), kMissing));
  }
  expect_reply(400, "Parent container root does not exist",
               about("LAUNCH_NESTED_CONTAINER", kMissing, shell("exit 0")));
  EXPECT_EQ(1U, agent_->container_launch_errors);
}

TEST_F(ContainerCallsTest, FailedLaunches) {
  const std::string user = R"("command":{"value":"exit 0","user":"no-such-user-here"})";
  expect_reply(
      500,
      "Failed to create sandbox: Failed to chown directory to 'no-such-user-here': No such "
      "user 'no-such-user-here'",
      about("LAUNCH_CONTAINER", kRoot, user));
  expect_reply(200, "", about("LAUNCH_CONTAINER", kRoot, shell("sleep 1000")));
  expect_reply(400,
               concat("Failed to create nested sandbox '", scratch_ / "work",
                      "/containers/root/containers/child': Failed to chown directory to "
                      "'no-such-user-here': No such user 'no-such-user-here'"),
               about("LAUNCH_NESTED_CONTAINER", kChild, user));
  expect_reply(
      400, "The provided ContainerInfo is not supported",
      about("LAUNCH_CONTAINER", kChild, R"("container":{"type":"DOCKER","docker":{"image":"x"}})"));
  expect_reply(400, "Unsupported container image type: DOCKER",
               about("LAUNCH_CONTAINER", kChild,
                     R"("container":{"type":"MESOS","mesos":{"image":)"
                     R"({"type":"DOCKER","docker":{"name":"x"}}}})"));
  EXPECT_EQ(4U, agent_->container_launch_errors);
  EXPECT_FALSE(runs("child"));
}

TEST_F(ContainerCallsTest, Signals) {
  expect_reply(200, "", about("LAUNCH_CONTAINER", kRoot, shell("sleep 1000")));
  expect_reply(500, "Unable to send signal to container: Invalid argument",
               about("KILL_CONTAINER", kRoot, R"("signal":1000)"));
  expect_reply(200, "", about("KILL_CONTAINER", kRoot, R"("signal":0)"));
  expect_reply(200, "", about("KILL_CONTAINER", kRoot));
}

TEST_F(ContainerCallsTest, GetContainers) {
  expect_reply(200, "", about("LAUNCH_CONTAINER", kRoot, shell("sleep 1000")));
  expect_reply(200, "", about("LAUNCH_NESTED_CONTAINER", kChild, shell("sleep 1000")));
  const struct {
    const char* wanted;
    std::vector<std::string> ids;
  } kCases[] = {
      {"{}", {}},
      {R"({"show_nested":true})", {"child"}},
      {R"({"show_standalone":true})", {"root"}},
      {R"({"show_nested":true,"show_standalone":true})", {"root", "child"}},
  };
  for (const auto& test : kCases) {
    const Reply reply =
        call(concat(R"({"type":"GET_CONTAINERS","get_containers":)", test.wanted, "}"));
    Response response;
    ASSERT_TRUE(proto::parse_json(reply.body, &response).has_value()) << reply.body;
    std::vector<std::string> ids;
    for (const auto& container : response.get_containers().containers()) {
      ids.push_back(container.container_id().value());
      EXPECT_EQ(container.container_id().value() == "child", container.container_id().has_parent());
      EXPECT_GT(container.container_status().executor_pid(), 1U);
      EXPECT_EQ(container.container_id().DebugString(),
                container.container_status().container_id().DebugString());
      EXPECT_GT(container.resource_statistics().timestamp(), 0);
    }
    EXPECT_EQ(test.ids, ids);
  }
}

// A launch that its client does not wait for.
TEST_F(ContainerCallsTest, ClientsThatGoAway) {
  expect_reply(200, "", about("LAUNCH_CONTAINER", kRoot, shell("sleep 1000")));
  {
    http_test::Peer peer = connect();
    run(peer.send(json_request(about("WAIT_CONTAINER", kRoot))));
    settle();
  }
  {
    // Its user is looked up on a worker, so the request is pending for a moment.
    http_test::Peer peer = connect();
    run(peer.send(json_request(
        about("LAUNCH_CONTAINER", kChild, R"("command":{"value":"exit 1","user":"root"})"))));
  }
  await([this] { return !runs("child"); });
  EXPECT_EQ(1U, agent_->containers.containers().size());
}

std::string records(const std::string& body) {
  http::RecordDecoder decoder(1 << 20);
  decoder.feed(body);
  std::string all;
  while (true) {
    auto record = decoder.next();
    EXPECT_TRUE(record.has_value());
    if (!record || !*record) return all;
    all += **record;
    all += '\n';
  }
}

TEST_F(ContainerCallsTest, Sessions) {
  expect_reply(200, "", about("LAUNCH_CONTAINER", kRoot, shell("sleep 1000")));
  const struct {
    const char* accept;
    const char* content_type;
    const char* message_type;
  } kCases[] = {
      {"", "application/json", ""},
      {"Accept: application/json\r\n", "application/json", ""},
      {"Accept: application/recordio\r\n", "application/recordio", "application/json"},
      {"Accept: application/recordio\r\nMessage-Accept: application/json\r\n",
       "application/recordio", "application/json"},
  };
  for (size_t i = 0; i < std::size(kCases); ++i) {
    const auto& test = kCases[i];
    const std::string id = concat(R"({"value":"s)", i, R"(","parent":{"value":"root"}})");
    const Reply reply = exchange(
        make_request("POST", "/api/v1", concat("Content-Type: application/json\r\n", test.accept),
                     about("LAUNCH_NESTED_CONTAINER_SESSION", id, shell("echo out; exit 3"))));
    EXPECT_EQ(200, reply.status);
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(test.content_type, header(reply, "Content-Type"));
    EXPECT_EQ(test.message_type, header(reply, "Message-Content-Type"));
    EXPECT_EQ("{\"type\":\"DATA\",\"data\":{\"type\":\"STDOUT\",\"data\":\"b3V0Cg==\"}}\n",
              records(reply.body));
    expect_reply(200, R"({"type":"WAIT_CONTAINER","wait_container":{"exit_status":768}})",
                 about("WAIT_CONTAINER", id));
  }
  // A session's id in use is answered without a stream.
  expect_reply(200, "", about("LAUNCH_CONTAINER", kChild, shell("sleep 1000")));
  expect_reply(202, "", about("LAUNCH_NESTED_CONTAINER_SESSION", kChild, shell("exit 0")));
}

// A session lives as long as its stream.
TEST_F(ContainerCallsTest, SessionsEndWithTheirClients) {
  expect_reply(200, "", about("LAUNCH_CONTAINER", kRoot, shell("sleep 1000")));
  {
    http_test::Peer peer = connect();
    run([](http_test::Peer& client, std::string request) -> base::Task<void> {
      EXPECT_TRUE(co_await client.send(std::move(request)));
      (void)co_await client.receive_until("b3V0Cg==");
    }(peer, json_request(
                about("LAUNCH_NESTED_CONTAINER_SESSION", kChild, shell("echo out; sleep 1000")))));
    EXPECT_TRUE(runs("child"));
  }
  await([this] { return !runs("child"); });
  expect_reply(200, R"({"type":"WAIT_CONTAINER","wait_container":{"exit_status":9}})",
               about("WAIT_CONTAINER", kChild));
}

TEST_F(ContainerCallsTest, Attach) {
  expect_reply(404, "Container root cannot be found", about("ATTACH_CONTAINER_OUTPUT", kRoot));
  expect_reply(200, "", about("LAUNCH_CONTAINER", kRoot, shell("sleep 1000")));
  expect_reply(500, "I/O switchboard server was disabled for this container",
               about("ATTACH_CONTAINER_OUTPUT", kRoot));
  expect_reply(500, "Unknown container root.missing", about("ATTACH_CONTAINER_OUTPUT", kMissing));
}

}  // namespace
