// Limits of the server, and clients that strain them.

#include <fcntl.h>
#include <sys/resource.h>

#include <chrono>
#include <ctime>
#include <string>
#include <vector>

#include "base/strings.h"
#include "http/server.h"
#include "tests/http/support.h"

namespace {

using namespace http_test;
using http::BodyBudget;
using http::Request;
using http::ResponseWriter;
using Clock = std::chrono::steady_clock;

Task<void> hello(Request&, ResponseWriter& writer) { co_await writer.send({200, {}, "hello"}); }

class ServerLimits : public ServerTest {};

TEST_F(ServerLimits, large_heads) {
  start(hello, {.head_bytes = 1000, .header_count = 5});
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    Reply reply =
        co_await peer.exchange("GET / HTTP/1.1\r\nA: " + std::string(900, 'x') + "\r\n\r\n");
    EXPECT_EQ(reply.status, 200);
    reply = co_await peer.exchange("GET / HTTP/1.1\r\nA: " + std::string(1000, 'x'));
    EXPECT_EQ(reply.status, 431);
    EXPECT_EQ(co_await peer.receive_some(), "");
    EXPECT_FALSE(peer.was_reset());

    peer = co_await connect();
    reply = co_await peer.exchange("GET / HTTP/1.1\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n");
    EXPECT_EQ(reply.status, 200);
    reply = co_await peer.exchange("GET / HTTP/1.1\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n");
    EXPECT_EQ(reply.status, 431);
  }());
}

TEST_F(ServerLimits, a_slow_head_is_timed_out) {
  start(hello, {.head_timeout = 100ms});
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    const auto start_time = Clock::now();
    const auto drip = [&]() -> Task<void> {
      for (const char c : std::string("GET / HTTP/1.1\r\nSlow: yes, very")) {
        co_await peer.send(std::string(1, c));
        co_await base::sleep_for(10ms);
      }
    };
    const auto receive = [&]() -> Task<Reply> { co_return co_await peer.receive_reply(); };
    const auto end = co_await base::any_of(drip(), receive());
    EXPECT_EQ(end.index(), 1u);
    if (end.index() != 1) co_return;
    EXPECT_EQ(std::get<1>(end).status, 408);
    EXPECT_EQ(std::get<1>(end).body, "408 Request Time-out.");
    EXPECT_GE(Clock::now() - start_time, 95ms);
    EXPECT_EQ(co_await peer.receive_some(), "");
  }());
}

// As executors do: their second connection is for what they report, which may take its time.
TEST_F(ServerLimits, a_client_may_be_silent_before_its_first_request) {
  start(hello, {.head_timeout = 50ms});
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await base::sleep_for(150ms);
    const Reply reply = co_await peer.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(reply.status, 200);
  }());
}

TEST_F(ServerLimits, idle_connections_and_busy_handlers_are_not) {
  start(
      [](Request&, ResponseWriter& writer) -> Task<void> {
        co_await base::sleep_for(150ms);
        co_await writer.send({200, {}, "late"});
      },
      {.head_timeout = 50ms});
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int i = 0; i < 2; ++i) {
      const Reply reply = co_await peer.exchange("GET / HTTP/1.1\r\n\r\n");
      EXPECT_EQ(reply.body, "late");
      co_await base::sleep_for(150ms);
    }
    // But the next head must be quick again, once it has begun.
    const Reply reply = co_await peer.exchange("GET");
    EXPECT_EQ(reply.status, 408);
  }());
}

TEST_F(ServerLimits, connections_beyond_the_limit_wait_while_all_are_served) {
  base::Event answer;
  start(
      [&](Request&, ResponseWriter& writer) -> Task<void> {
        co_await answer.wait();
        co_await writer.send({200, {{"Connection", "close"}}, "late"});
      },
      {.connections = 2});
  run([&]() -> Task<void> {
    std::vector<Peer> peers;
    for (int i = 0; i < 4; ++i) {
      peers.push_back(co_await connect());
      co_await peers.back().send("GET / HTTP/1.1\r\n\r\n");
    }
    co_await eventually([&] { return server_->connections() == 2; });
    const auto early = co_await base::with_timeout(peers[2].receive_some(), 30ms);
    EXPECT_FALSE(early.has_value());
    EXPECT_EQ(server_->connections(), 2u);
    answer.set();
    for (auto& peer : peers) {
      const Reply reply = co_await peer.receive_reply();
      EXPECT_EQ(reply.status, 200);
    }
  }());
}

TEST_F(ServerLimits, who_is_waited_for_longest_gives_way) {
  start(
      [](Request& request, ResponseWriter& writer) -> Task<void> {
        (void)co_await read_all(request.body, 1000);
        co_await writer.send({200, {}, "hello"});
      },
      {.connections = 3});
  run([&]() -> Task<void> {
    Peer idle = co_await connect();
    const Reply first = co_await idle.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(first.status, 200);
    Peer slow_head = co_await connect();
    co_await slow_head.send("GET / HT");
    Peer slow_body = co_await connect();
    co_await slow_body.send("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n12");
    co_await eventually([&] { return server_->connections() == 3; });
    co_await base::sleep_for(30ms);
    std::vector<Peer> later;
    for (Peer* peer : {&idle, &slow_head, &slow_body}) {
      later.push_back(co_await connect());
      const Reply reply = co_await later.back().exchange("GET / HTTP/1.1\r\n\r\n");
      EXPECT_EQ(reply.status, 200);
      const auto end = co_await base::with_timeout(peer->receive_some(), 5s);
      EXPECT_EQ(end, "");
      EXPECT_EQ(server_->connections(), 3u);
    }
  }());
}

TEST_F(ServerLimits, a_client_that_does_not_take_its_response_gives_way) {
  constexpr size_t kLarge = 32 << 20;
  start(
      [](Request& request, ResponseWriter& writer) -> Task<void> {
        co_await writer.send({200, {}, std::string(request.path == "/large" ? kLarge : 1, 'x')});
      },
      {.connections = 1});
  run([&]() -> Task<void> {
    Peer greedy = co_await connect();
    co_await greedy.send("GET /large HTTP/1.1\r\n\r\n");
    co_await eventually([&] { return server_->connections() == 1; });
    Peer other = co_await connect();
    const Reply reply = co_await other.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(reply.status, 200);
  }());
}

TEST(BodyBudget, is_shared_and_given_back) {
  BodyBudget budget(100'000);
  BodyBudget::Share small(budget);
  BodyBudget::Share large(budget);
  EXPECT_TRUE(large.grow_to(90'000));
  EXPECT_FALSE(small.grow_to(20'000));
  EXPECT_TRUE(small.grow_to(16'000)) << "a little is free";
  EXPECT_TRUE(large.grow_to(100'000));
  EXPECT_FALSE(large.grow_to(100'001));
  {
    BodyBudget::Share third(budget);
    EXPECT_FALSE(third.grow_to(17'000));
    large.release();
    EXPECT_TRUE(third.grow_to(100'000));
  }
  EXPECT_TRUE(small.grow_to(100'000));
}

TEST_F(ServerLimits, running_out_of_descriptors_does_not_spin) {
  start(hello);
  run([&]() -> Task<void> {
    rlimit old{};
    getrlimit(RLIMIT_NOFILE, &old);
    Peer first = co_await connect();
    Reply reply = co_await first.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(reply.status, 200);

    // Room for the client's end of one more connection, not for the server's.
    const int next_fd = fcntl(0, F_DUPFD_CLOEXEC, 0);
    ::close(next_fd);
    const rlimit low{static_cast<rlim_t>(next_fd) + 1, old.rlim_max};
    setrlimit(RLIMIT_NOFILE, &low);
    Peer second = co_await connect();
    co_await second.send("GET / HTTP/1.1\r\n\r\n");
    const std::clock_t cpu = std::clock();
    co_await base::sleep_for(250ms);
    EXPECT_LT(std::clock() - cpu, CLOCKS_PER_SEC / 10);
    EXPECT_EQ(server_->connections(), 1u);
    reply = co_await first.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(reply.status, 200);

    setrlimit(RLIMIT_NOFILE, &old);
    reply = co_await second.receive_reply();
    EXPECT_EQ(reply.status, 200);
  }());
}

}  // namespace
