#include "executors/connection.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "base/stream.h"
#include "http/recordio.h"
#include "http/server.h"
#include "proto/mesos/v1/executor/executor.pb.h"
#include "tests/http/support.h"

namespace executors {
namespace {

using base::Task;
using namespace std::chrono_literals;
using Call = mesos::v1::executor::Call;
using Message = mesos::v1::executor::Event;

// An agent that subscribes whoever comes and counts what it is told.
class ConnectionTest : public http_test::LoopTest, public Connection::Listener {
 protected:
  ConnectionTest()
      : server_([this](auto& request, auto& writer) { return serve(request, writer); }) {
    auto listener = base::listen_tcp("127.0.0.1", 0, 16);
    EXPECT_TRUE(listener);
    options_.executor_id = "executor";
    options_.framework_id = "framework";
    options_.ip = "127.0.0.1";
    options_.port = *base::local_port(listener->get());
    options_.target = "/slave(1)/api/v1/executor";
    scope_.spawn(serve_for_ever(*std::move(listener)));
  }

  void on_event(Event event) override {
    if (event.type == Event::Type::kSubscribed) subscribed_.set();
  }
  void on_disconnected() override { disconnected_.set(); }

  Task<void> serve_for_ever(base::Fd listener) { co_await server_.serve(std::move(listener)); }

  Task<void> serve(http::Request& request, http::ResponseWriter& writer) {
    const auto body = co_await http::read_all(request.body, 1024 * 1024);
    Call call;
    EXPECT_TRUE(body && call.ParseFromString(*body));
    EXPECT_EQ(request.path, options_.target);
    calls_.push_back(call.type());
    if (call.type() == Call::SUBSCRIBE) {
      co_await writer.start_stream(200, {{"Content-Type", "application/x-protobuf"}});
      co_await writer.write(subscribed_record());
      co_await end_stream_.wait();
      end_stream_.clear();
      co_await writer.finish();
      co_return;
    }
    if (call.type() == Call::HEARTBEAT && ++heartbeats_ == 3) three_heartbeats_.set();
    co_await writer.send({.status = 202, .headers = {}, .body = {}});
  }

  static std::string subscribed_record() {
    Message event;
    event.set_type(Message::SUBSCRIBED);
    event.mutable_subscribed()->mutable_executor_info()->mutable_executor_id()->set_value("e");
    event.mutable_subscribed()->mutable_framework_info()->set_user("u");
    event.mutable_subscribed()->mutable_framework_info()->set_name("n");
    event.mutable_subscribed()->mutable_agent_info()->set_hostname("h");
    std::string record;
    http::append_record(event.SerializeAsString(), &record);
    return record;
  }

  Task<void> keep(Connection& connection) {
    error_ = co_await connection.run();
    ended_.set();
  }

  AgentOptions options_;
  std::vector<Call::Type> calls_;
  int heartbeats_ = 0;
  base::Error error_{""};
  base::Event subscribed_;
  base::Event disconnected_;
  base::Event end_stream_;
  base::Event three_heartbeats_;
  base::Event ended_;
  http::Server server_;
  base::Scope scope_;
};

TEST_F(ConnectionTest, HeartbeatsGoOutWhileThereIsNothingElse) {
  options_.heartbeat_interval = 5ms;
  Connection connection(options_, *this);
  base::Scope scope;
  scope.spawn(keep(connection));
  run([this]() -> Task<void> { co_await three_heartbeats_.wait(); }());
  ASSERT_GE(calls_.size(), 4);
  EXPECT_EQ(calls_[0], Call::SUBSCRIBE);
  EXPECT_EQ(calls_[1], Call::HEARTBEAT);
}

TEST_F(ConnectionTest, WithoutCheckpointingTheEndOfTheStreamIsTheEnd) {
  Connection connection(options_, *this);
  base::Scope scope;
  scope.spawn(keep(connection));
  run([this]() -> Task<void> {
    co_await subscribed_.wait();
    end_stream_.set();
    co_await ended_.wait();
  }());
  EXPECT_TRUE(disconnected_.is_set());
  EXPECT_EQ(error_.message, "The agent ended the stream of events");
}

TEST_F(ConnectionTest, WithCheckpointingItSubscribesAgain) {
  options_.checkpoint = true;
  options_.backoff_max = 1ms;
  Connection connection(options_, *this);
  base::Scope scope;
  scope.spawn(keep(connection));
  run([this]() -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      co_await subscribed_.wait();
      subscribed_.clear();
      end_stream_.set();
      co_await disconnected_.wait();
      disconnected_.clear();
    }
  }());
  EXPECT_EQ(calls_, (std::vector<Call::Type>(3, Call::SUBSCRIBE)));
}

TEST_F(ConnectionTest, AnAgentThatNeverComesIsWaitedForAsLongAsTheOptionsSay) {
  options_.checkpoint = true;
  options_.recovery_timeout = 30ms;
  options_.backoff_max = 1ms;
  options_.domain_socket = "/no/such/socket";
  Connection connection(options_, *this);
  base::Scope scope;
  scope.spawn(keep(connection));
  run([this]() -> Task<void> { co_await ended_.wait(); }());
  EXPECT_EQ(error_.message, "The agent has not come back in time");
  EXPECT_TRUE(calls_.empty());
  EXPECT_FALSE(disconnected_.is_set());
}

}  // namespace
}  // namespace executors
