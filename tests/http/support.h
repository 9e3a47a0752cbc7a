// What the tests of this directory share: a loop to run coroutines on, and a peer that speaks
// bytes.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/combine.h"
#include "base/event_loop.h"
#include "base/scope.h"
#include "base/stream.h"
#include "base/task.h"
#include "http/message_parser.h"
#include "http/server.h"

namespace http_test {

using base::Task;
using namespace std::chrono_literals;

inline constexpr auto kTestTimeout = 30s;

class LoopTest : public testing::Test {
 protected:
  // Runs the task to its end.
  void run(Task<void> task) {
    struct Ignored final : base::internal::Completion {
      void task_done() override {}
    } ignored;
    auto drive = [](Task<void> work, base::EventLoop& loop) -> Task<void> {
      const auto end = co_await base::any_of(std::move(work), base::sleep_task(kTestTimeout));
      EXPECT_EQ(end.index(), 0u) << "timed out";
      loop.stop();
    };
    Task<void> driver = drive(std::move(task), loop_);
    driver.start(ignored);
    loop_.run();
  }

  base::EventLoop loop_;
};

// A response as it came over the wire.
struct Reply {
  int status = 0;
  http::Headers headers;
  std::string body;
  bool complete = false;  // false: the stream ended first
};

// A client that sends and receives bytes.
class Peer {
 public:
  explicit Peer(base::Fd fd) : stream_(std::make_unique<base::Stream>(std::move(fd))) {}

  Task<bool> send(std::string bytes) { co_return (co_await stream_->write_all(bytes)).has_value(); }

  // Whatever comes next; empty at the end of the stream or after a reset.
  Task<std::string> receive_some() {
    if (!received_.empty()) co_return std::exchange(received_, {});
    co_return co_await read_some();
  }

  Task<std::string> receive_all() {
    std::string all;
    while (true) {
      const std::string piece = co_await receive_some();
      if (piece.empty()) co_return all;
      all += piece;
    }
  }

  // Everything up to and with `mark`.
  Task<std::string> receive_until(std::string mark) {
    while (received_.find(mark) == std::string::npos) {
      const std::string piece = co_await read_some();
      if (piece.empty()) break;
      received_ += piece;
    }
    const size_t at = received_.find(mark);
    const size_t end = at == std::string::npos ? received_.size() : at + mark.size();
    std::string text = received_.substr(0, end);
    received_.erase(0, end);
    co_return text;
  }

  // One response; its body decoded. `bodiless`: to a HEAD.
  Task<Reply> receive_reply(bool bodiless = false) {
    Reply reply;
    http::MessageParser parser(http::MessageParser::Kind::kResponse);
    parser.reset(bodiless);
    bool have_head = false;
    while (true) {
      if (!have_head && !received_.empty()) {
        const auto n = parser.feed_head(received_);
        EXPECT_TRUE(n.has_value()) << received_;
        if (!n) co_return reply;
        received_.erase(0, *n);
        have_head = parser.head_complete();
        if (have_head) {
          http::MessageHead head = parser.take_head();
          reply.status = head.status;
          reply.headers = std::move(head.headers);
        }
      }
      if (have_head && !parser.complete() && !received_.empty()) {
        std::string decoded(received_.size(), '\0');
        const auto n = parser.feed_body(received_, decoded.data());
        EXPECT_TRUE(n.has_value()) << received_.substr(0, 200);
        if (!n) co_return reply;
        reply.body += decoded.substr(0, n->produced);
        received_.erase(0, n->consumed);
      }
      if (have_head && parser.complete()) break;
      const std::string piece = co_await read_some();
      if (piece.empty()) {
        reply.complete = parser.feed_eof().has_value();
        co_return reply;
      }
      received_ += piece;
    }
    reply.complete = true;
    co_return reply;
  }

  Task<Reply> exchange(std::string request) {
    co_await send(std::move(request));
    co_return co_await receive_reply();
  }

  void half_close() { stream_->shutdown_write(); }
  void close() { stream_.reset(); }
  // Closes with a reset, as the kernel does for a process that dies with unread bytes.
  void reset() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(stream_->fd(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    stream_.reset();
  }
  bool was_reset() const { return reset_; }
  const std::string& unread() const { return received_; }

 private:
  Task<std::string> read_some() {
    std::string bytes(65536, '\0');
    const auto n = co_await stream_->read_some(bytes);
    bytes.resize(n.value_or(0));
    if (!n) reset_ = true;
    co_return bytes;
  }

  std::unique_ptr<base::Stream> stream_;
  std::string received_;
  bool reset_ = false;
};

struct SocketPair {
  base::Fd ours;
  base::Fd theirs;
};

inline SocketPair make_socketpair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) std::abort();
  return {base::Fd(fds[0]), base::Fd(fds[1])};
}

// A server with one handler, on TCP loopback.
class ServerTest : public LoopTest {
 protected:
  // `greeting`, if there is one, must outlive the server.
  void start(http::Handler handler, http::Limits limits = {},
             const http::Greeting* greeting = nullptr) {
    server_ = std::make_unique<http::Server>(std::move(handler), limits);
    auto listening = base::listen_tcp("127.0.0.1", 0, 64);
    ASSERT_TRUE(listening.has_value()) << listening.error().message;
    port_ = base::local_port(listening->get()).value();
    serving_.spawn(serve(*std::move(listening), greeting));
  }

  Task<Peer> connect() {
    auto fd = co_await base::connect_tcp("127.0.0.1", port_);
    EXPECT_TRUE(fd.has_value());
    co_return Peer(*std::move(fd));
  }

  // Waits until `condition` holds.
  template <typename Condition>
  Task<void> eventually(Condition condition) {
    for (int i = 0; i < 2000 && !condition(); ++i) co_await base::sleep_for(1ms);
    EXPECT_TRUE(condition());
  }

  std::unique_ptr<http::Server> server_;
  uint16_t port_ = 0;

 private:
  Task<void> serve(base::Fd fd, const http::Greeting* greeting) {
    const auto end = co_await server_->serve(std::move(fd), greeting);
    ADD_FAILURE() << end.error().message;
  }

  base::Scope serving_;
};

}  // namespace http_test
