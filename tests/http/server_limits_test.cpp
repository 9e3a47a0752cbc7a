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

TEST_F(ServerLimits, a_client_that_never_speaks_is_dropped) {
  start(hello, {.head_timeout = 50ms});
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    EXPECT_EQ(co_await peer.receive_some(), "");
    co_await eventually([&] { return server_->connections() == 0; });
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

TEST_F(ServerLimits, connections_beyond_the_limit_wait) {
  start(hello, {.connections = 2});
  run([&]() -> Task<void> {
    std::vector<Peer> peers;
    for (int i = 0; i < 4; ++i) {
      peers.push_back(co_await connect());
      co_await peers.back().send("GET / HTTP/1.1\r\n\r\n");
    }
    for (int i = 0; i < 2; ++i) {
      const Reply reply = co_await peers[static_cast<size_t>(i)].receive_reply();
      EXPECT_EQ(reply.status, 200);
    }
    co_await base::sleep_for(30ms);
    EXPECT_EQ(server_->connections(), 2u);
    const auto early = co_await base::with_timeout(peers[2].receive_some(), 30ms);
    EXPECT_FALSE(early.has_value());
    peers[0].close();
    peers[1].close();
    for (int i = 2; i < 4; ++i) {
      const Reply reply = co_await peers[static_cast<size_t>(i)].receive_reply();
      EXPECT_EQ(reply.status, 200);
    }
    EXPECT_EQ(server_->connections(), 2u);
  }());
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
