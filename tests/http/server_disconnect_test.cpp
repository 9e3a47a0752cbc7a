// What happens when a client goes away, or half away.

#include <string>
#include <vector>

#include "base/strings.h"
#include "http/server.h"
#include "tests/http/support.h"

namespace {

using namespace http_test;
using http::Request;
using http::ResponseWriter;

// Counts when a handler starts and when its frame is gone.
struct Life {
  int started = 0;
  int ended = 0;
};

class Guard {
 public:
  explicit Guard(Life& life) : life_(life) { ++life_.started; }
  ~Guard() { ++life_.ended; }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  Life& life_;
};

class Disconnect : public ServerTest {
 protected:
  // A handler that waits for ever.
  void start_silent() {
    start([this](Request&, ResponseWriter&) -> Task<void> {
      Guard guard(life_);
      co_await never_.wait();
    });
  }

  Life life_;
  base::Event never_;
};

TEST_F(Disconnect, closing_cancels_a_silent_handler) {
  start_silent();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await eventually([&] { return life_.started == 1; });
    co_await base::sleep_for(20ms);
    EXPECT_EQ(life_.ended, 0);
    peer.close();
    co_await eventually([&] { return life_.ended == 1 && server_->connections() == 0; });
  }());
}

TEST_F(Disconnect, half_closing_does_not) {
  base::Event go;
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    Guard guard(life_);
    co_await go.wait();
    co_await writer.send({200, {}, "late"});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await eventually([&] { return life_.started == 1; });
    peer.half_close();
    // By this the server has found out that there still is somebody.
    EXPECT_EQ((co_await peer.receive_reply(true)).status, 100);
    co_await base::sleep_for(20ms);
    EXPECT_EQ(life_.ended, 0);
    go.set();
    EXPECT_EQ((co_await peer.receive_reply()).body, "late");
    EXPECT_EQ(co_await peer.receive_some(), "");
    EXPECT_FALSE(peer.was_reset());
  }());
}

TEST_F(Disconnect, half_closing_answers_all_that_was_asked_before) {
  start([&](Request& request, ResponseWriter& writer) -> Task<void> {
    co_await base::sleep_for(10ms);
    co_await writer.send({200, {}, request.path});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n");
    peer.half_close();
    for (const char* path : {"/a", "/b", "/c"}) {
      EXPECT_EQ((co_await peer.receive_reply(true)).status, 100);
      EXPECT_EQ((co_await peer.receive_reply()).body, path);
    }
    EXPECT_EQ(co_await peer.receive_some(), "");
    EXPECT_FALSE(peer.was_reset());
  }());
}

TEST_F(Disconnect, half_closing_and_then_closing_cancels) {
  start_silent();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await eventually([&] { return life_.started == 1; });
    peer.half_close();
    co_await base::sleep_for(20ms);
    EXPECT_EQ(life_.ended, 0);
    // With the "100 Continue" unread, so its kernel sends a reset.
    peer.close();
    co_await eventually([&] { return life_.ended == 1 && server_->connections() == 0; });
  }());
}

// It knows no "100 Continue", so there is no way to ask.
TEST_F(Disconnect, half_closing_cancels_for_a_client_of_http_1_0) {
  start_silent();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.0\r\n\r\n");
    co_await eventually([&] { return life_.started == 1; });
    peer.half_close();
    EXPECT_EQ(co_await peer.receive_all(), "");
    EXPECT_FALSE(peer.was_reset());
    EXPECT_EQ(life_.ended, 1);
  }());
}

TEST_F(Disconnect, so_does_a_reset) {
  start_silent();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await eventually([&] { return life_.started == 1; });
    peer.reset();
    co_await eventually([&] { return life_.ended == 1 && server_->connections() == 0; });
  }());
}

TEST_F(Disconnect, so_does_a_client_that_was_gone_before_the_request_was_read) {
  start_silent();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    peer.close();
    co_await eventually([&] { return life_.ended == 1 && server_->connections() == 0; });
  }());
}

TEST_F(Disconnect, pipelined_requests_do_not_hide_it) {
  start_silent();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    std::string requests;
    for (int i = 0; i < 1000; ++i) requests += "GET / HTTP/1.1\r\n\r\n";
    co_await peer.send(requests);
    co_await eventually([&] { return life_.started == 1; });
    peer.close();
    co_await eventually([&] { return life_.ended == 1 && server_->connections() == 0; });
    EXPECT_EQ(life_.started, 1);
  }());
}

TEST_F(Disconnect, a_body_that_has_arrived_but_was_not_read_does_not_hide_it) {
  start_silent();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("POST / HTTP/1.1\r\nContent-Length: 50000\r\n\r\n");
    co_await eventually([&] { return life_.started == 1; });
    co_await peer.send(std::string(50000, 'x'));
    co_await base::sleep_for(20ms);
    EXPECT_EQ(life_.ended, 0);
    peer.close();
    co_await eventually([&] { return life_.ended == 1 && server_->connections() == 0; });
  }());
}

TEST_F(Disconnect, what_can_be_answered_at_once_is_answered_to_a_half_closed_client) {
  start([](Request& request, ResponseWriter& writer) -> Task<void> {
    const auto body =
        co_await base::with_timeout(http::read_all(request.body, 1 << 20), 1s);  // takes some turns
    co_await writer.send({200, {}, base::concat("got ", (*body)->size())});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send(base::concat("POST / HTTP/1.1\r\nContent-Length: 300000\r\n\r\n",
                                    std::string(300000, 'x')));
    peer.half_close();
    const Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.body, "got 300000");
    EXPECT_EQ(co_await peer.receive_some(), "");
    EXPECT_FALSE(peer.was_reset());
  }());
}

TEST_F(Disconnect, a_whole_response_reaches_a_half_closed_client) {
  const std::string large(8 << 20, 'x');
  bool sent = false;
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    sent = (co_await writer.send({200, {}, large})).has_value();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await base::sleep_for(20ms);  // the response has filled all buffers
    EXPECT_FALSE(sent);
    peer.half_close();
    co_await base::sleep_for(20ms);
    const Reply reply = co_await peer.receive_reply();
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.body.size(), large.size());
    EXPECT_TRUE(sent);
  }());
}

TEST_F(Disconnect, a_stream_goes_on_to_a_half_closed_client) {
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    Guard guard(life_);
    co_await writer.start_stream(200, {});
    co_await writer.write("before");
    co_await writer.half_closed().wait();
    co_await writer.write(" and after");
    co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await eventually([&] { return life_.started == 1; });
    co_await base::sleep_for(20ms);
    peer.half_close();
    const Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.status, 200);
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.body, "before and after");
    EXPECT_FALSE(peer.was_reset());
  }());
}

TEST_F(Disconnect, a_stream_is_cancelled_when_it_writes_to_a_client_that_has_gone) {
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    Guard guard(life_);
    co_await writer.start_stream(200, {});
    co_await writer.half_closed().wait();
    co_await writer.write("anybody?");
    co_await never_.wait();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await peer.receive_some();
    peer.close();
    co_await eventually([&] { return life_.ended == 1 && server_->connections() == 0; });
    EXPECT_EQ(life_.started, 1);
  }());
}

TEST_F(Disconnect, a_writer_that_is_blocked_is_cancelled) {
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    Guard guard(life_);
    co_await writer.start_stream(200, {});
    const std::string data(100000, 'x');
    while ((co_await writer.write(data)).has_value()) {
    }
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await base::sleep_for(50ms);
    EXPECT_EQ(life_.ended, 0);
    peer.close();
    co_await eventually([&] { return life_.ended == 1 && server_->connections() == 0; });
  }());
}

TEST_F(Disconnect, the_reader_of_an_incomplete_body_gets_what_came_and_then_the_end) {
  std::string seen;
  base::Error error("none");
  start([&](Request& request, ResponseWriter&) -> Task<void> {
    Guard guard(life_);
    co_await base::sleep_for(50ms);  // everything, and the end, is there before the first read
    char buffer[7];
    while (true) {
      const auto n = co_await request.body.read_some(buffer);
      if (!n) error = n.error();
      if (!n || *n == 0) co_return;
      seen.append(buffer, *n);
    }
  });
  run([&]() -> Task<void> {
    const std::vector<std::string> requests = {
        "POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\nsome of it",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsome \r\n8\r\nof it",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nsome \r\n5\r\nof it\r\n0\r\n",
    };
    for (const std::string& request : requests) {
      for (const bool half : {true, false}) {
        seen.clear();
        error = base::Error("none");
        Peer peer = co_await connect();
        co_await peer.send(request);
        if (half) {
          peer.half_close();
          const Reply reply = co_await peer.receive_reply();
          EXPECT_EQ(reply.status, 400);
          EXPECT_EQ(reply.body, "The request was cut short");
        } else {
          peer.close();
        }
        co_await eventually([&] { return server_->connections() == 0; });
        EXPECT_EQ(seen, "some of it");
        EXPECT_EQ(error.kind, base::ErrorKind::kClosed) << error.message;
      }
    }
    EXPECT_EQ(life_.ended, 6);
  }());
}

TEST_F(Disconnect, a_handler_in_the_middle_of_a_body_can_ask) {
  bool noticed = false;
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    Guard guard(life_);
    co_await writer.client_gone();
    noticed = true;
  });
  run([&]() -> Task<void> {
    for (const bool reset : {false, true}) {
      noticed = false;
      Peer peer = co_await connect();
      co_await peer.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
      co_await base::sleep_for(20ms);
      EXPECT_FALSE(noticed);
      if (reset) {
        peer.reset();
      } else {
        peer.close();
      }
      co_await eventually([&] { return noticed && server_->connections() == 0; });
    }
  }());
}

TEST_F(Disconnect, destroying_the_server_task_ends_everything) {
  http::Server server([&](Request&, ResponseWriter&) -> Task<void> {
    Guard guard(life_);
    co_await never_.wait();
  });
  run([&]() -> Task<void> {
    auto listening = base::listen_tcp("127.0.0.1", 0, 64);
    const uint16_t port = base::local_port(listening->get()).value();
    std::vector<Peer> peers;
    {
      base::Scope scope;
      const auto serve = [&]() -> Task<void> { co_await server.serve(*std::move(listening)); };
      scope.spawn(serve());
      for (int i = 0; i < 5; ++i) {
        auto fd = co_await base::connect_tcp("127.0.0.1", port);
        peers.emplace_back(*std::move(fd));
        co_await peers.back().send("GET / HTTP/1.1\r\n\r\n");
      }
      co_await eventually([&] { return life_.started == 5; });
    }
    EXPECT_EQ(life_.ended, 5);
    EXPECT_EQ(server.connections(), 0u);
    for (Peer& peer : peers) EXPECT_EQ(co_await peer.receive_some(), "");
  }());
}

}  // namespace
