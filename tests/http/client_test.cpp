#include "http/client.h"

#include <string>
#include <vector>

#include "base/strings.h"
#include "http/server.h"
#include "tests/http/support.h"

namespace {

using namespace http_test;
using http::BodyKind;
using http::ClientConnection;

// A client whose server is a peer that speaks bytes.
class Client : public LoopTest {
 protected:
  Client() : Client(make_socketpair()) {}
  explicit Client(SocketPair pair)
      : client_(std::move(pair.ours)), server_(std::move(pair.theirs)) {}

  ClientConnection client_;
  Peer server_;
};

TEST_F(Client, sends_whole_requests) {
  run([&]() -> Task<void> {
    EXPECT_TRUE((co_await client_.send("GET", "/a?b", {{"X", "y"}})).has_value());
    EXPECT_EQ(co_await server_.receive_some(),
              "GET /a?b HTTP/1.1\r\nX: y\r\nHost: localhost\r\n\r\n");
    EXPECT_FALSE(client_.reusable());
    co_await server_.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    auto response = co_await client_.read_response();
    EXPECT_TRUE(response.has_value());
    EXPECT_EQ(response->status, 200);
    EXPECT_EQ(response->reason, "OK");
    EXPECT_FALSE(client_.reusable());
    EXPECT_EQ((co_await http::read_all(*response, 100)).value(), "ok");
    EXPECT_TRUE(client_.reusable());

    EXPECT_TRUE((co_await client_.send("POST", "/", {{"Host", "h"}}, "body")).has_value());
    EXPECT_EQ(co_await server_.receive_some(),
              "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbody");
    co_await server_.send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
    response = co_await client_.read_response();
    EXPECT_EQ(response->status, 202);
    EXPECT_TRUE(response->complete());
    EXPECT_TRUE(client_.reusable());

    EXPECT_TRUE((co_await client_.send("POST", "/", {})).has_value());
    EXPECT_EQ(co_await server_.receive_some(),
              "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
  }());
}

TEST_F(Client, streams_requests) {
  run([&]() -> Task<void> {
    co_await client_.send_head("POST", "/", {}, BodyKind::kChunked);
    co_await client_.write("abc");
    co_await client_.write("");
    co_await client_.write("0123456789abcdef");
    co_await client_.finish();
    EXPECT_EQ(co_await server_.receive_until("0\r\n\r\n"),
              "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
              "3\r\nabc\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n");
    co_await server_.send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    EXPECT_TRUE((co_await client_.read_response()).has_value());

    co_await client_.send_head("POST", "/", {}, BodyKind::kLength, 6);
    co_await client_.write("abc");
    EXPECT_FALSE((co_await client_.finish()).has_value());
    EXPECT_FALSE((co_await client_.write("defg")).has_value());
    co_await client_.write("def");
    EXPECT_TRUE((co_await client_.finish()).has_value());
    EXPECT_EQ(co_await server_.receive_until("abcdef"),
              "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nabcdef");
  }());
}

TEST_F(Client, reads_a_response_while_it_sends) {
  run([&]() -> Task<void> {
    co_await client_.send_head("POST", "/", {}, BodyKind::kChunked);
    int written = 0;
    const auto send = [&]() -> Task<void> {
      for (; written < 5; ++written) {
        co_await client_.write("x");
        co_await base::sleep_for(5ms);
      }
      co_await client_.finish();
    };
    const auto receive = [&]() -> Task<void> {
      co_await server_.send("HTTP/1.1 400 Bad\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n");
      auto response = co_await client_.read_response();
      EXPECT_EQ(response->status, 400);
      EXPECT_LT(written, 5);  // it came early
      char buffer[10];
      EXPECT_EQ(co_await response->read_some(buffer), 2u);
      co_await server_.send("0\r\n\r\n");
      EXPECT_EQ(co_await response->read_some(buffer), 0u);
    };
    co_await base::all_of(send(), receive());
    EXPECT_TRUE(client_.reusable());
  }());
}

TEST_F(Client, reads_responses_split_at_every_position) {
  const std::string stream =
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  run([&]() -> Task<void> {
    for (size_t i = 1; i < stream.size(); ++i) {
      co_await client_.send("GET", "/", {});
      co_await server_.send(stream.substr(0, i));
      const auto rest = [&]() -> Task<void> {
        for (int turn = 0; turn < 2; ++turn) co_await base::next_turn();
        co_await server_.send(stream.substr(i));
      };
      const auto read = [&]() -> Task<void> {
        auto response = co_await client_.read_response();
        EXPECT_EQ(response->status, 200);
        EXPECT_EQ((co_await http::read_all(*response, 100)).value(), "hello");
      };
      co_await base::all_of(rest(), read());
    }
  }());
}

TEST_F(Client, a_response_to_head_has_no_body) {
  run([&]() -> Task<void> {
    co_await client_.send("HEAD", "/", {});
    co_await server_.send(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    const auto response = co_await client_.read_response();
    EXPECT_TRUE(response->complete());
    EXPECT_TRUE(client_.reusable());
  }());
}

TEST_F(Client, a_response_without_length_ends_with_the_connection) {
  run([&]() -> Task<void> {
    co_await client_.send("GET", "/", {});
    co_await server_.receive_until("\r\n\r\n");
    co_await server_.send("HTTP/1.1 200 OK\r\n\r\nall of this");
    server_.close();
    auto response = co_await client_.read_response();
    EXPECT_EQ((co_await http::read_all(*response, 100)).value(), "all of this");
    EXPECT_FALSE(client_.reusable());
  }());
}

TEST_F(Client, a_server_that_closes_early_is_an_error) {
  run([&]() -> Task<void> {
    for (const std::string text : {"", "HTTP/1.1 200 OK\r\nConte"}) {
      SocketPair pair = make_socketpair();
      ClientConnection client(std::move(pair.ours));
      Peer server(std::move(pair.theirs));
      co_await client.send("GET", "/", {});
      co_await server.receive_some();
      co_await server.send(text);
      server.close();
      const auto response = co_await client.read_response();
      EXPECT_FALSE(response.has_value());
      EXPECT_EQ(response.error().kind, base::ErrorKind::kClosed);
    }
    for (const std::string text :
         {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhell\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhell"}) {
      SocketPair pair = make_socketpair();
      ClientConnection client(std::move(pair.ours));
      Peer server(std::move(pair.theirs));
      co_await client.send("GET", "/", {});
      co_await server.receive_some();
      co_await server.send(text);
      server.close();
      auto response = co_await client.read_response();
      char buffer[100];
      EXPECT_EQ(co_await response->read_some(buffer), 4u);
      const auto end = co_await response->read_some(buffer);
      EXPECT_FALSE(end.has_value());
      EXPECT_EQ(end.error().kind, base::ErrorKind::kClosed);
      EXPECT_FALSE(response->complete());
    }
  }());
}

TEST_F(Client, what_is_not_http_is_an_error) {
  run([&]() -> Task<void> {
    co_await client_.send("GET", "/", {});
    co_await server_.send("SSH-2.0-OpenSSH\r\n");
    const auto response = co_await client_.read_response();
    EXPECT_FALSE(response.has_value());
    EXPECT_EQ(response.error().kind, base::ErrorKind::kInvalid);
  }());
}

TEST_F(Client, a_response_can_be_read_after_sending_has_failed) {
  run([&]() -> Task<void> {
    co_await client_.send_head("POST", "/", {}, BodyKind::kChunked);
    co_await server_.receive_until("\r\n\r\n");
    co_await server_.send("HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\nno");
    server_.close();
    EXPECT_FALSE(client_.send_failed());
    const auto status = co_await client_.write("x");
    EXPECT_FALSE(status.has_value());
    EXPECT_EQ(status.error().kind, base::ErrorKind::kClosed);
    EXPECT_TRUE(client_.send_failed());
    auto response = co_await client_.read_response();
    EXPECT_EQ(response->status, 409);
    EXPECT_EQ((co_await http::read_all(*response, 100)).value(), "no");
    EXPECT_FALSE(client_.reusable());
  }());
}

TEST_F(Client, reading_a_response_can_be_cancelled_and_tried_again) {
  run([&]() -> Task<void> {
    co_await client_.send("GET", "/", {});
    co_await server_.send("HTTP/1.1 200 OK\r\nX: y");
    EXPECT_FALSE((co_await base::with_timeout(client_.read_response(), 10ms)).has_value());
    co_await server_.send("z\r\nContent-Length: 0\r\n\r\n");
    const auto response = co_await client_.read_response();
    EXPECT_EQ(*response->headers.find("x"), "yz");
    EXPECT_FALSE((co_await client_.read_response()).has_value());
  }());
}

TEST_F(Client, notices_that_the_server_has_closed) {
  run([&]() -> Task<void> {
    EXPECT_FALSE((co_await base::with_timeout(client_.server_closed(), 5ms)).has_value());
    server_.close();
    co_await client_.server_closed();
    EXPECT_FALSE(client_.reusable());
  }());
}

TEST_F(Client, may_be_moved) {
  run([&]() -> Task<void> {
    co_await client_.send("GET", "/", {});
    ClientConnection moved = std::move(client_);
    co_await server_.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    auto response = co_await moved.read_response();
    ClientConnection again = std::move(moved);
    EXPECT_EQ((co_await http::read_all(*response, 100)).value(), "ok");
  }());
}

class ClientAndServer : public ServerTest {};

TEST_F(ClientAndServer, understand_each_other) {
  start([](http::Request& request, http::ResponseWriter& writer) -> Task<void> {
    const auto body = co_await http::read_all(request.body, 1 << 20);
    if (request.path == "/stream") {
      co_await writer.start_stream(200, {});
      for (const char c : *body) co_await writer.write({&c, 1});
      co_await writer.finish();
    } else {
      co_await writer.send({200, {}, *body});
    }
  });
  run([&]() -> Task<void> {
    ClientConnection client(*co_await base::connect_tcp("127.0.0.1", port_));
    for (const char* target : {"/stream", "/whole", "/stream"}) {
      co_await client.send_head("POST", target, {{"Expect", "100-continue"}}, BodyKind::kChunked);
      for (int i = 0; i < 50; ++i) co_await client.write(base::concat(i, ' '));
      co_await client.finish();
      auto response = co_await client.read_response();
      EXPECT_EQ(response->status, 200);
      const auto body = co_await http::read_all(*response, 1 << 20);
      EXPECT_TRUE(body->starts_with("0 1 2 3 ") && body->ends_with("48 49 ")) << *body;
      EXPECT_TRUE(client.reusable());
    }
  }());
}

}  // namespace
