// Streams that pass through: a client, our server, and a server behind it.

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "base/strings.h"
#include "http/client.h"
#include "http/server.h"
#include "tests/http/support.h"

namespace {

using namespace http_test;
using http::BodyKind;
using http::ClientConnection;
using http::Request;
using http::ResponseWriter;

// A chunked body with all that is allowed in it; and its payload.
struct Framed {
  std::string bytes;
  std::string payload;
};

Framed random_chunks(unsigned seed, size_t total) {
  std::mt19937 random(seed);
  Framed framed;
  while (framed.payload.size() < total) {
    const size_t size = 1 + random() % (random() % 4 == 0 ? 100000 : 50);
    std::string chunk(size, '\0');
    std::ranges::generate(chunk, [&] { return static_cast<char>(random()); });
    char digits[20];
    std::snprintf(digits, sizeof(digits), random() % 2 == 0 ? "%zx" : "%06zX", size);
    framed.bytes += digits;
    if (random() % 8 == 0) framed.bytes += ";extension=\"value\"";
    framed.bytes += "\r\n" + chunk + "\r\n";
    framed.payload += chunk;
  }
  framed.bytes += "0\r\nTrailer: value\r\n\r\n";
  return framed;
}

// The server relays what the other end of a socket pair, `behind_`, answers.
class Relay : public ServerTest {
 protected:
  void start_relay(bool peek = false) {
    start([this, peek](Request&, ResponseWriter& writer) -> Task<void> {
      SocketPair pair = make_socketpair();
      behind_.emplace(std::move(pair.theirs));
      ClientConnection source(std::move(pair.ours));
      co_await source.send("GET", "/", {});
      auto response = co_await source.read_response();
      EXPECT_TRUE(response.has_value());
      co_await writer.start_stream(response->status, {{"X-From", "behind"}});
      char byte = 0;
      if (peek) EXPECT_EQ(co_await response->read_some({&byte, 1}), 1u);
      if (peek) co_await writer.write({&byte, 1});
      status_ = co_await writer.relay(*response);
      relayed_ = true;
    });
  }

  Task<Peer> ask(std::string request = "GET / HTTP/1.1\r\n\r\n") {
    relayed_ = false;
    behind_.reset();
    Peer peer = co_await connect();
    co_await peer.send(request);
    co_await eventually([&] { return behind_.has_value(); });
    co_await behind_->receive_until("\r\n\r\n");
    co_return peer;
  }

  std::optional<Peer> behind_;
  base::Status status_;
  bool relayed_ = false;
};

const std::string kChunkedHead = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

TEST_F(Relay, passes_every_byte_unchanged) {
  start_relay();
  run([&]() -> Task<void> {
    for (unsigned seed = 0; seed < 10; ++seed) {
      Peer peer = co_await ask();
      const Framed framed = random_chunks(seed, 2000000);
      const auto feed = [&]() -> Task<void> {
        std::mt19937 random(seed);
        co_await behind_->send(kChunkedHead);
        for (size_t at = 0; at < framed.bytes.size();) {
          const size_t n = 1 + random() % 200000;
          co_await behind_->send(framed.bytes.substr(at, n));
          at += n;
          if (random() % 3 == 0) co_await base::next_turn();
        }
      };
      const auto check = [&]() -> Task<void> {
        const std::string head = co_await peer.receive_until("\r\n\r\n");
        EXPECT_TRUE(head.ends_with("X-From: behind\r\nTransfer-Encoding: chunked\r\n\r\n")) << head;
        EXPECT_TRUE(co_await peer.receive_until("Trailer: value\r\n\r\n") == framed.bytes);
      };
      co_await base::all_of(feed(), check());
      EXPECT_TRUE(relayed_ && status_.has_value());
      // The client's connection is good for another request.
      behind_.reset();
      co_await peer.send("GET / HTTP/1.1\r\n\r\n");
      co_await eventually([&] { return behind_.has_value(); });
      co_await behind_->send(kChunkedHead + "2\r\nok\r\n0\r\n\r\n");
      const Reply reply = co_await peer.receive_reply();
      EXPECT_EQ(reply.body, "ok");
    }
  }());
}

TEST_F(Relay, passes_each_byte_when_it_comes) {
  start_relay();
  run([&]() -> Task<void> {
    Peer peer = co_await ask();
    co_await behind_->send(kChunkedHead);
    co_await peer.receive_until("\r\n\r\n");
    for (const char c : std::string("00005\r\nhello\r\n1;x\r\n!\r\n0\r\n\r\n")) {
      co_await behind_->send(std::string(1, c));
      EXPECT_EQ(co_await peer.receive_some(), std::string(1, c));
    }
    EXPECT_TRUE(relayed_);
  }());
}

TEST_F(Relay, a_source_that_breaks_off_leaves_the_client_without_the_last_chunk) {
  start_relay();
  const std::vector<std::pair<std::string, base::ErrorKind>> ends = {
      {"5\r\nhello\r\n", base::ErrorKind::kClosed},
      {"5\r\nhel", base::ErrorKind::kClosed},
      {"5\r\nhello\r\n0\r\n", base::ErrorKind::kClosed},
      {"5\r\nhello\r\nzz\r\n", base::ErrorKind::kInvalid},
  };
  run([&]() -> Task<void> {
    for (const auto& [body, kind] : ends) {
      Peer peer = co_await ask();
      co_await behind_->send(kChunkedHead);
      co_await behind_->send(body);
      behind_->close();
      const Reply reply = co_await peer.receive_reply();
      EXPECT_FALSE(reply.complete) << body;
      EXPECT_FALSE(peer.was_reset());
      EXPECT_TRUE(relayed_);
      EXPECT_FALSE(status_.has_value());
      if (!status_) EXPECT_EQ(status_.error().kind, kind) << body;
    }
  }());
}

TEST_F(Relay, frames_what_is_not_chunked) {
  start_relay();
  run([&]() -> Task<void> {
    Peer peer = co_await ask();
    co_await behind_->send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.body, "hello");
    EXPECT_TRUE(reply.complete);

    peer = co_await ask();
    co_await behind_->send("HTTP/1.1 200 OK\r\n\r\nhello");
    behind_->close();
    reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.body, "hello");
    EXPECT_TRUE(reply.complete);

    peer = co_await ask();
    co_await behind_->send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    reply = co_await peer.receive_reply();
    EXPECT_TRUE(reply.complete);

    // And takes the frames off for old clients.
    peer = co_await ask("GET / HTTP/1.0\r\n\r\n");
    co_await behind_->send(kChunkedHead + "5\r\nhello\r\n0\r\n\r\n");
    co_await peer.receive_until("\r\n\r\n");
    EXPECT_EQ(co_await peer.receive_all(), "hello");
  }());
}

TEST_F(Relay, a_body_that_was_read_in_part_is_framed_anew) {
  start_relay(true);
  run([&]() -> Task<void> {
    Peer peer = co_await ask();
    co_await behind_->send(kChunkedHead + "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n");
    const Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.body, "hello!");
    EXPECT_TRUE(reply.complete);
  }());
}

TEST_F(Relay, is_cancelled_when_the_client_goes) {
  start_relay();
  run([&]() -> Task<void> {
    Peer peer = co_await ask();
    co_await behind_->send(kChunkedHead + "5\r\nhello\r\n");
    co_await peer.receive_until("hello\r\n");
    peer.close();
    co_await behind_->send("5\r\nagain\r\n");         // which its TCP answers with a reset
    EXPECT_EQ(co_await behind_->receive_some(), "");  // the relay has let go of the source
    EXPECT_FALSE(relayed_);
  }());
}

TEST_F(Relay, a_client_that_does_not_read_stops_the_source) {
  start_relay();
  run([&]() -> Task<void> {
    Peer peer = co_await ask();
    co_await behind_->send(kChunkedHead);
    const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
    constexpr int kChunks = 400;
    int sent = 0;
    const auto feed = [&]() -> Task<void> {
      for (; sent < kChunks; ++sent) co_await behind_->send(chunk);
      co_await behind_->send("0\r\n\r\n");
    };
    const auto read = [&]() -> Task<void> {
      int before = -1;
      while (before != sent) {
        before = sent;
        co_await base::sleep_for(50ms);
      }
      EXPECT_LT(sent, kChunks);
      const Reply reply = co_await peer.receive_reply();
      EXPECT_TRUE(reply.complete);
      EXPECT_EQ(reply.body, std::string(size_t{kChunks} * 0x10000, 'x'));
    };
    co_await base::all_of(feed(), read());
  }());
}

// The server passes the request's body on to `behind_`.
class RelayBody : public ServerTest {
 protected:
  void start_relay() {
    start([this](Request& request, ResponseWriter& writer) -> Task<void> {
      SocketPair pair = make_socketpair();
      behind_.emplace(std::move(pair.theirs));
      ClientConnection to(std::move(pair.ours));
      co_await to.send_head("POST", "/behind", {}, BodyKind::kChunked);
      const auto end =
          co_await base::any_of(http::relay_body(request.body, to), to.read_response());
      if (end.index() == 0) {
        status_ = std::get<0>(end);
        send_failed_ = to.send_failed();
        if (!status_ && !send_failed_) co_return;
        const auto response = co_await to.read_response();
        if (response) co_await writer.send({response->status, {}, "late"});
      } else {
        co_await writer.send({std::get<1>(end)->status, {}, "early"});
      }
    });
  }

  std::optional<Peer> behind_;
  base::Status status_;
  bool send_failed_ = false;
};

TEST_F(RelayBody, passes_all_on) {
  start_relay();
  run([&]() -> Task<void> {
    for (const bool chunked : {true, false}) {
      Peer peer = co_await connect();
      const Framed framed = random_chunks(1, 3000000);
      std::string request = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n" + framed.bytes;
      if (!chunked) {
        request = base::concat("POST / HTTP/1.1\r\nContent-Length: ", framed.payload.size(),
                               "\r\n\r\n", framed.payload);
      }
      behind_.reset();
      const auto send = [&]() -> Task<void> { co_await peer.send(request); };
      const auto receive = [&]() -> Task<void> {
        co_await eventually([&] { return behind_.has_value(); });
        co_await behind_->receive_until("\r\n\r\n");
        // Looks like a response, to be decoded by the same means.
        http::ChunkDecoder decoder;
        std::string payload;
        while (!decoder.complete()) {
          std::string piece = co_await behind_->receive_some();
          const auto n = decoder.feed(piece, piece.data());
          EXPECT_TRUE(n.has_value());
          if (piece.empty() || !n) break;
          payload.append(piece, 0, n->produced);
        }
        EXPECT_TRUE(payload == framed.payload);
        co_await behind_->send("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n");
      };
      co_await base::all_of(send(), receive());
      const Reply reply = co_await peer.receive_reply();
      EXPECT_EQ(reply.status, 202);
      EXPECT_EQ(reply.body, "late");
      EXPECT_FALSE(reply.headers.has("Connection"));
    }
  }());
}

TEST_F(RelayBody, an_early_response_is_passed_back) {
  start_relay();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    co_await eventually([&] { return behind_.has_value(); });
    co_await behind_->receive_until("hello\r\n");
    co_await behind_->send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    const Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, "early");
  }());
}

TEST_F(RelayBody, a_client_that_vanishes_is_told_from_a_server_that_does) {
  start_relay();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    co_await eventually([&] { return behind_.has_value(); });
    co_await behind_->receive_until("hello\r\n");
    peer.close();
    EXPECT_EQ(co_await behind_->receive_all(), "");  // no last chunk
    EXPECT_FALSE(status_.has_value());
    EXPECT_EQ(status_.error().kind, base::ErrorKind::kClosed);
    EXPECT_FALSE(send_failed_);
  }());
}

TEST_F(RelayBody, a_slow_server_stops_the_client) {
  start_relay();
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    constexpr size_t kBody = 20 << 20;
    size_t sent = 0;
    const auto send = [&]() -> Task<void> {
      co_await peer.send(base::concat("POST / HTTP/1.1\r\nContent-Length: ", kBody, "\r\n\r\n"));
      const std::string piece(1 << 16, 'x');
      for (; sent < kBody; sent += piece.size()) co_await peer.send(piece);
    };
    const auto receive = [&]() -> Task<void> {
      size_t before = SIZE_MAX;
      while (before != sent) {
        before = sent;
        co_await base::sleep_for(50ms);
      }
      EXPECT_LT(sent, kBody);
      EXPECT_TRUE((co_await behind_->receive_until("0\r\n\r\n")).ends_with("0\r\n\r\n"));
    };
    co_await base::all_of(send(), receive());
    EXPECT_EQ(sent, kBody);
  }());
}

}  // namespace
