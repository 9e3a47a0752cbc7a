#include "libprocess/receiver.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/strings.h"
#include "tests/http/support.h"

namespace {

using base::Task;
using http_test::Peer;
using http_test::Reply;
using namespace std::chrono_literals;
using libprocess::Message;
using libprocess::Receiver;

std::string post(std::string_view path, std::string_view rest,
                 std::string_view from = "Libprocess-From: master@127.0.0.1:5050\r\n") {
  return base::concat("POST ", path, " HTTP/1.1\r\nHost: agent\r\n", from, rest);
}
std::string chunked(std::string_view name, std::string_view body) {
  char size[20];
  snprintf(size, sizeof(size), "%zx\r\n", body.size());
  return post(
      base::concat("/slave(1)/", name),
      base::concat("Transfer-Encoding: chunked\r\n\r\n", std::string(size), body, "\r\n0\r\n\r\n"));
}

class ReceiverTest : public http_test::ServerTest {
 protected:
  static constexpr size_t kLimit = 100'000;

  ReceiverTest() {
    receiver_.install("slave(1)", [this](Message message) { received_.push_back(message); });
  }
  void serve(http::Limits limits = {}) {
    start(
        [this](http::Request& request, http::ResponseWriter& writer) {
          return libprocess::is_message(request) ? receiver_.handle(request, writer)
                                                 : answer(writer);
        },
        limits);
  }
  static Task<void> answer(http::ResponseWriter& writer) {
    co_await writer.send({200, {}, "no message"});
  }

  std::vector<std::string> names() const {
    std::vector<std::string> names;
    for (const Message& message : received_) names.push_back(message.name);
    return names;
  }

  Receiver receiver_{kLimit};
  std::vector<Message> received_;
};

TEST_F(ReceiverTest, takes_bodies_however_they_are_framed) {
  serve();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    Reply reply = co_await peer.exchange(chunked("chunked", "12345"));
    EXPECT_EQ(202, reply.status);
    EXPECT_EQ("0", *reply.headers.find("Content-Length"));
    EXPECT_TRUE(reply.headers.has("Date"));
    reply = co_await peer.exchange(post("/slave(1)/sized", "Content-Length: 3\r\n\r\nabc"));
    EXPECT_EQ(202, reply.status);
    reply = co_await peer.exchange(post("/slave(1)/bare", "\r\n"));
    EXPECT_EQ(202, reply.status);
    reply = co_await peer.exchange(
        post("/slave(1)/agent", "\r\n", "User-Agent: libprocess/x@127.0.0.1:1\r\n"));
    EXPECT_EQ(202, reply.status);
  }());
  ASSERT_EQ((std::vector<std::string>{"chunked", "sized", "bare", "agent"}), names());
  EXPECT_EQ("12345", received_[0].body);
  EXPECT_EQ("abc", received_[1].body);
  EXPECT_EQ("", received_[2].body);
  EXPECT_EQ("master@127.0.0.1:5050", received_[0].from.to_string());
  EXPECT_EQ("slave(1)", received_[0].to);
  EXPECT_EQ("x@127.0.0.1:1", received_[3].from.to_string());
}

TEST_F(ReceiverTest, takes_pipelined_messages_in_their_order_however_they_are_cut) {
  serve();
  std::string bytes;
  std::vector<std::string> sent;
  for (int i = 0; i < 40; ++i) {
    sent.push_back(base::concat("m", i));
    bytes += i % 3 == 0 ? post("/slave(1)/" + sent.back(), "\r\n")
                        : chunked(sent.back(), std::string(100 * i, 'x'));
  }
  for (const size_t piece : {size_t{1}, size_t{7}, size_t{1000}, bytes.size()}) {
    received_.clear();
    run([&](size_t size) -> Task<void> {
      Peer peer = co_await connect();
      for (size_t at = 0; at < bytes.size(); at += size) {
        co_await peer.send(bytes.substr(at, size));
        if (size < 1000 && at % 997 == 0) co_await base::sleep_for(1ms);
      }
      for (size_t i = 0; i < sent.size(); ++i) {
        const Reply reply = co_await peer.receive_reply();
        EXPECT_EQ(202, reply.status);
      }
    }(piece));
    EXPECT_EQ(sent, names()) << piece;
  }
}

// As libprocess does with whom it is not linked to: it closes as soon as all is written.
TEST_F(ReceiverTest, takes_what_was_sent_by_who_has_closed_already) {
  serve();
  run([&]() -> Task<void> {
    for (int round = 0; round < 20; ++round) {
      received_.clear();
      Peer peer = co_await connect();
      std::string bytes;
      for (int i = 0; i < 50; ++i) bytes += chunked(base::concat("m", i), std::string(500, 'x'));
      co_await peer.send(bytes);
      peer.close();
      co_await eventually([&] { return received_.size() == 50; });
      co_await eventually([&] { return server_->connections() == 0; });
    }
  }());
}

TEST_F(ReceiverTest, says_what_is_wrong) {
  serve();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    Reply reply = co_await peer.exchange(post("/nobody/name", "\r\n"));
    EXPECT_EQ(404, reply.status);
    EXPECT_EQ("There is no process 'nobody'", reply.body);
    reply = co_await peer.exchange(post("/slave(1)", "Content-Length: 2\r\n\r\nab"));
    EXPECT_EQ(500, reply.status);
    EXPECT_NE(std::string::npos, reply.body.find("/<process>/<name>")) << reply.body;
    reply = co_await peer.exchange(post("/slave(1)/x", "\r\n", "Libprocess-From: me\r\n"));
    EXPECT_EQ(500, reply.status);
    EXPECT_NE(std::string::npos, reply.body.find("The sender is unknown")) << reply.body;
    // None of that has ended the connection.
    reply = co_await peer.exchange(post("/slave(1)/good", "\r\n"));
    EXPECT_EQ(202, reply.status);
    reply = co_await peer.exchange(post("/slave(1)/good", "\r\n", "User-Agent: curl\r\n"));
    EXPECT_EQ("no message", reply.body);
  }());
  EXPECT_EQ(std::vector<std::string>{"good"}, names());
}

TEST_F(ReceiverTest, bounds_what_a_message_may_hold) {
  serve();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    Reply reply = co_await peer.exchange(chunked("fits", std::string(kLimit, 'x')));
    EXPECT_EQ(202, reply.status);
    reply = co_await peer.exchange(chunked("large", std::string(kLimit + 1, 'x')));
    EXPECT_EQ(413, reply.status);
    EXPECT_EQ("The body is larger than 100000 bytes", reply.body);
  }());
  EXPECT_EQ(std::vector<std::string>{"fits"}, names());
}

TEST_F(ReceiverTest, lets_handlers_come_and_go) {
  serve();
  receiver_.install("other", [this](const Message& message) {
    received_.push_back(message);
    receiver_.remove("other");
    receiver_.install("third", [this](const Message& m) { received_.push_back(m); });
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    const auto status = [&](std::string path) -> Task<int> {
      co_return (co_await peer.exchange(post(path, "\r\n"))).status;
    };
    EXPECT_EQ(404, co_await status("/third/a"));
    EXPECT_EQ(202, co_await status("/other/b"));
    EXPECT_EQ(404, co_await status("/other/c"));
    EXPECT_EQ(202, co_await status("/third/d"));
  }());
  EXPECT_EQ((std::vector<std::string>{"b", "d"}), names());
}

// A master takes the end of its connection for the agent's.
TEST_F(ReceiverTest, keeps_the_connections_of_senders_when_there_are_too_many) {
  serve({.connections = 6});
  run([&]() -> Task<void> {
    Peer master = co_await connect();
    EXPECT_EQ(202, (co_await master.exchange(post("/slave(1)/first", "\r\n"))).status);
    std::vector<Peer> others;
    for (int i = 0; i < 20; ++i) {
      others.push_back(co_await connect());
      const Reply reply = co_await others.back().exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
      EXPECT_EQ(200, reply.status);
    }
    EXPECT_EQ(202, (co_await master.exchange(post("/slave(1)/last", "\r\n"))).status);
    // The first of the others has given way.
    EXPECT_EQ("", co_await others.front().receive_some());
  }());
  EXPECT_EQ((std::vector<std::string>{"first", "last"}), names());
}

// Or whoever can send a message could keep everybody else out.
TEST_F(ReceiverTest, keeps_half_of_the_connections_at_most) {
  serve({.connections = 6});
  run([&]() -> Task<void> {
    std::vector<Peer> senders;
    for (int i = 0; i < 20; ++i) {
      senders.push_back(co_await connect());
      EXPECT_EQ(202, (co_await senders.back().exchange(post("/slave(1)/m", "\r\n"))).status);
    }
    Peer other = co_await connect();
    EXPECT_EQ(200, (co_await other.exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n")).status);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(202, (co_await senders[i].exchange(post("/slave(1)/m", "\r\n"))).status);
    }
    EXPECT_EQ("", co_await senders[3].receive_some());
    // A place becomes free, and the next takes it.
    senders[0].close();
    Peer next = co_await connect();
    EXPECT_EQ(202, (co_await next.exchange(post("/slave(1)/m", "\r\n"))).status);
    std::vector<Peer> crowd;
    for (int i = 0; i < 10; ++i) {
      crowd.push_back(co_await connect());
      co_await crowd.back().exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    EXPECT_EQ(202, (co_await next.exchange(post("/slave(1)/m", "\r\n"))).status);
  }());
}

}  // namespace
