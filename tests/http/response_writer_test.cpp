#include "http/response_writer.h"

#include <string>
#include <vector>

#include "base/strings.h"
#include "http/chunk.h"
#include "http/server.h"
#include "tests/http/support.h"

namespace {

using namespace http_test;
using http::Request;
using http::ResponseWriter;

class Writer : public ServerTest {};

TEST_F(Writer, each_write_is_one_chunk) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_stream(200, {{"Content-Type", "application/recordio"}});
    EXPECT_TRUE(writer.started());
    EXPECT_FALSE(writer.complete());
    co_await writer.write("abc");
    co_await writer.write("");
    co_await writer.write(std::string(20, 'x'));
    std::string framed;
    http::append_chunk("d", &framed);
    http::append_chunk("ef", &framed);
    co_await writer.write_chunks(framed);
    co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int i = 0; i < 2; ++i) {  // and the connection is kept
      co_await peer.send("GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n");
      const std::string head = co_await peer.receive_until("\r\n\r\n");
      EXPECT_TRUE(
          head.ends_with("GMT\r\nContent-Type: application/recordio\r\n"
                         "Transfer-Encoding: chunked\r\n\r\n"))
          << head;
      EXPECT_EQ(co_await peer.receive_until("0\r\n\r\n"),
                "3\r\nabc\r\n14\r\nxxxxxxxxxxxxxxxxxxxx\r\n1\r\nd\r\n2\r\nef\r\n0\r\n\r\n");
    }
  }());
}

TEST_F(Writer, a_body_of_known_size_comes_as_it_is) {
  start([](Request& request, ResponseWriter& writer) -> Task<void> {
    const uint64_t size = request.path == "/empty" ? 0 : 6;
    EXPECT_TRUE(co_await writer.start_sized(206, {{"Content-Type", "text/plain"}}, size));
    if (size == 0 || request.method == "HEAD") {
      EXPECT_TRUE(writer.complete());
      co_return;
    }
    EXPECT_TRUE(co_await writer.write("abc"));
    EXPECT_FALSE(writer.complete());
    EXPECT_FALSE(co_await writer.finish());           // too early
    EXPECT_FALSE(co_await writer.write("too much"));  // and nothing of it is sent
    EXPECT_TRUE(co_await writer.write("def"));
    EXPECT_TRUE(writer.complete());
    EXPECT_FALSE(co_await writer.write("g"));
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int i = 0; i < 2; ++i) {  // and the connection is kept
      co_await peer.send("GET / HTTP/1.1\r\nAccept-Encoding: gzip\r\n\r\n");
      const std::string head = co_await peer.receive_until("\r\n\r\n");
      EXPECT_TRUE(head.starts_with("HTTP/1.1 206 Partial Content\r\n")) << head;
      EXPECT_TRUE(head.ends_with("GMT\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n"))
          << head;
      EXPECT_EQ(co_await peer.receive_until("f"), "abcdef");
    }
    co_await peer.send("GET /empty HTTP/1.1\r\n\r\n");
    Reply reply = co_await peer.receive_reply();
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ("", reply.body);
    co_await peer.send("HEAD / HTTP/1.1\r\n\r\n");
    reply = co_await peer.receive_reply(true);
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ("6", *reply.headers.find("Content-Length"));
    co_await peer.send("GET / HTTP/1.0\r\n\r\n");
    const std::string all = co_await peer.receive_all();
    EXPECT_TRUE(all.ends_with("\r\n\r\nabcdef")) << all;
  }());
}

TEST_F(Writer, a_body_that_stays_short_ends_the_connection) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_sized(200, {}, 6);
    co_await writer.write("abc");
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    const std::string all = co_await peer.receive_all();
    EXPECT_TRUE(all.ends_with("Content-Length: 6\r\n\r\nabc")) << all;
  }());
}

TEST_F(Writer, only_errors_without_text_keep_their_type) {
  start([](Request& request, ResponseWriter& writer) -> Task<void> {
    const int status = request.path == "/error" ? 404 : 200;
    co_await writer.send({status, {{"Content-Type", "text/plain"}}, ""});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET /error HTTP/1.1\r\n\r\n");
    Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(404, reply.status);
    EXPECT_TRUE(reply.headers.has("Content-Type"));
    EXPECT_EQ("0", *reply.headers.find("Content-Length"));
    co_await peer.send("GET /ok HTTP/1.1\r\n\r\n");
    reply = co_await peer.receive_reply();
    EXPECT_FALSE(reply.headers.has("Content-Type"));
  }());
}

TEST_F(Writer, framing_fields_of_another_response_do_no_harm) {
  start([](Request& request, ResponseWriter& writer) -> Task<void> {
    const http::Headers foreign = {{"Content-Length", "7"}, {"Transfer-Encoding", "chunked"}};
    if (request.path == "/whole") {
      co_await writer.send({200, foreign, "abc"});
      co_return;
    }
    co_await writer.start_stream(200, foreign);
    co_await writer.write("abc");
    co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (const char* path : {"/whole", "/stream", "/whole"}) {
      const Reply reply = co_await peer.exchange(base::concat("GET ", path, " HTTP/1.1\r\n\r\n"));
      EXPECT_EQ(reply.body, "abc");
      EXPECT_TRUE(reply.complete);
    }
  }());
}

TEST_F(Writer, the_head_and_each_chunk_go_out_at_once) {
  base::Event next;
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_stream(200, {});
    for (const char* chunk : {"one", "two"}) {
      co_await next.wait();
      next.clear();
      co_await writer.write(chunk);
    }
    co_await next.wait();
    co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await peer.receive_until("\r\n\r\n");
    next.set();
    EXPECT_EQ(co_await peer.receive_some(), "3\r\none\r\n");
    next.set();
    EXPECT_EQ(co_await peer.receive_some(), "3\r\ntwo\r\n");
    next.set();
    EXPECT_EQ(co_await peer.receive_some(), "0\r\n\r\n");
  }());
}

TEST_F(Writer, a_stream_that_is_not_finished_ends_without_the_last_chunk) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_stream(200, {});
    co_await writer.write("abc");
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    const Reply reply = co_await peer.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(reply.body, "abc");
    EXPECT_FALSE(reply.complete);
    EXPECT_FALSE(peer.was_reset());
  }());
}

TEST_F(Writer, old_clients_get_a_stream_without_chunks) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_stream(200, {});
    co_await writer.write("abc");
    co_await writer.write_chunks("1\r\nd\r\n2\r\nef\r\n");
    co_await writer.finish();
  });
  run([&]() -> Task<void> {
    for (const char* connection : {"keep-alive", "close"}) {
      Peer peer = co_await connect();
      co_await peer.send(base::concat("GET / HTTP/1.0\r\nConnection: ", connection, "\r\n\r\n"));
      const std::string head = co_await peer.receive_until("\r\n\r\n");
      EXPECT_TRUE(head.find("Transfer-Encoding") == std::string::npos) << head;
      EXPECT_TRUE(head.find("Connection: close\r\n") != std::string::npos) << head;
      EXPECT_EQ(co_await peer.receive_all(), "abcdef");
    }
  }());
}

TEST_F(Writer, head_of_a_stream) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_stream(200, {});
    co_await writer.write("abc");
    co_await writer.write_chunks("1\r\nd\r\n");
    co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    const Reply head = co_await peer.receive_reply(true);
    EXPECT_EQ(head.status, 200);
    const Reply get = co_await peer.receive_reply();
    EXPECT_EQ(get.body, "abcd");
  }());
}

TEST_F(Writer, a_client_that_does_not_read_blocks_the_writer) {
  constexpr size_t kChunk = 50000;
  constexpr int kChunks = 400;
  int written = 0;
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_stream(200, {});
    for (; written < kChunks; ++written) {
      co_await writer.write(std::string(kChunk, static_cast<char>('a' + written % 26)));
    }
    co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    int before = -1;
    while (before != written) {
      before = written;
      co_await base::sleep_for(50ms);
    }
    EXPECT_GT(written, 0);
    EXPECT_LT(written, kChunks);
    const Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(written, kChunks);
    EXPECT_TRUE(reply.complete);
    EXPECT_EQ(reply.body.size(), kChunk * kChunks);
    for (size_t i = 0; i < kChunks; ++i) {
      if (reply.body[i * kChunk] != static_cast<char>('a' + i % 26)) ADD_FAILURE() << i;
    }
  }());
}

TEST_F(Writer, a_handler_that_does_not_read_blocks_the_client) {
  constexpr size_t kBody = 20 << 20;
  base::Event go;
  start([&](Request& request, ResponseWriter& writer) -> Task<void> {
    co_await go.wait();
    const auto body = co_await http::read_all(request.body, kBody);
    co_await writer.send({200, {}, base::concat(body.value().size())});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    size_t sent = 0;
    const auto send = [&]() -> Task<void> {
      co_await peer.send(base::concat("POST / HTTP/1.1\r\nContent-Length: ", kBody, "\r\n\r\n"));
      const std::string piece(1 << 16, 'x');
      for (; sent < kBody; sent += piece.size()) co_await peer.send(piece);
    };
    const auto watch = [&]() -> Task<void> {
      size_t before = SIZE_MAX;
      while (before != sent) {
        before = sent;
        co_await base::sleep_for(50ms);
      }
      EXPECT_LT(sent, kBody);
      go.set();
    };
    co_await base::all_of(send(), watch());
    const Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.body, base::concat(kBody));
  }());
}

TEST_F(Writer, a_cancelled_write_breaks_the_stream) {
  bool refused = false;
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_stream(200, {});
    const auto end = co_await base::with_timeout(writer.write(std::string(20 << 20, 'x')), 50ms);
    EXPECT_FALSE(end.has_value());
    refused = !co_await writer.write("more") && !co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    co_await base::sleep_for(100ms);
    const Reply reply = co_await peer.receive_reply();
    EXPECT_FALSE(reply.complete);
    EXPECT_TRUE(refused);
  }());
}

// What the server says to a client that waits for "100 Continue".
TEST_F(Writer, expect_continue_is_answered_when_the_body_is_read) {
  start([](Request& request, ResponseWriter& writer) -> Task<void> {
    if (request.path == "/refuse") {
      co_await writer.send(http::error_response(403));
      co_return;
    }
    co_await base::sleep_for(5ms);
    const auto body = co_await http::read_all(request.body, 1000);
    co_await writer.send({200, {}, *body});
  });
  const std::string headers = " HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-Continue\r\n\r\n";
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int i = 0; i < 2; ++i) {
      co_await peer.send("POST /take" + headers);
      EXPECT_EQ(co_await peer.receive_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
      const Reply reply = co_await peer.exchange("hello");
      EXPECT_EQ(reply.status, 200);
      EXPECT_EQ(reply.body, "hello");
    }
    // Who does not wait is not told.
    Reply reply = co_await peer.exchange("POST /take" + headers + "hello");
    EXPECT_EQ(reply.status, 200);
    // Who speaks HTTP/1.0 neither.
    reply = co_await peer.exchange(
        "POST /take HTTP/1.0\r\nContent-Length: 0\r\nConnection: keep-alive\r\n"
        "Expect: 100-continue\r\n\r\n");
    EXPECT_EQ(reply.status, 200);

    reply = co_await peer.exchange("POST /refuse" + headers);
    EXPECT_EQ(reply.status, 403);
    EXPECT_EQ(*reply.headers.find("Connection"), "close");
    EXPECT_EQ(co_await peer.receive_some(), "");
    EXPECT_FALSE(peer.was_reset());
  }());
}

TEST_F(Writer, a_small_body_that_nobody_read_does_not_cost_the_connection) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.send(http::error_response(404));
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int i = 0; i < 3; ++i) {
      Reply reply = co_await peer.exchange("POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
      EXPECT_EQ(reply.status, 404);
      EXPECT_FALSE(reply.headers.has("Connection"));
      reply = co_await peer.exchange(
          "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
      EXPECT_EQ(reply.status, 404);
      EXPECT_FALSE(reply.headers.has("Connection"));
    }
  }());
}

TEST_F(Writer, an_early_reply_reaches_a_client_that_is_still_sending) {
  start([](Request& request, ResponseWriter& writer) -> Task<void> {
    char buffer[100];
    co_await request.body.read_some(buffer);
    co_await writer.send({409, {}, "no"});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
    // The reply comes at once, though the request has not ended.
    Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.status, 409);
    EXPECT_EQ(*reply.headers.find("Connection"), "close");

    // A client that sends on, a megabyte at most, and reads only then, gets it too.
    peer = co_await connect();
    co_await peer.send("POST / HTTP/1.1\r\nContent-Length: 10000000\r\n\r\nhello");
    for (int i = 0; i < 15; ++i) {
      EXPECT_TRUE(co_await peer.send(std::string(1 << 16, 'x')));
      co_await base::sleep_for(1ms);
    }
    reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.status, 409);
    EXPECT_EQ(co_await peer.receive_some(), "");
    EXPECT_FALSE(peer.was_reset());
    peer.close();
    co_await eventually([&] { return server_->connections() == 0; });
  }());
}

TEST_F(Writer, the_rest_of_a_refused_request_is_read_within_bounds) {
  start(
      [](Request&, ResponseWriter& writer) -> Task<void> { co_await writer.send({409, {}, "no"}); },
      {.drain_bytes = 500000, .drain_idle = 100ms, .drain_total = 300ms});
  const std::string head = "POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n";
  run([&]() -> Task<void> {
    // Sends nothing more.
    Peer silent = co_await connect();
    Reply reply = co_await silent.exchange(head);
    EXPECT_EQ(reply.status, 409);
    co_await base::sleep_for(50ms);
    EXPECT_EQ(server_->connections(), 1u);
    co_await eventually([&] { return server_->connections() == 0; });

    // Drips for ever.
    Peer dripping = co_await connect();
    reply = co_await dripping.exchange(head);
    const auto before = std::chrono::steady_clock::now();
    while (co_await dripping.send("x") && server_->connections() > 0) {
      co_await base::sleep_for(20ms);
    }
    const auto took = std::chrono::steady_clock::now() - before;
    EXPECT_GT(took, 200ms);

    // Sends for ever.
    Peer flooding = co_await connect();
    reply = co_await flooding.exchange(head);
    const std::string piece(1 << 16, 'x');
    size_t sent = 0;
    while (co_await flooding.send(piece)) sent += piece.size();
    EXPECT_GT(sent, 300000u);
    co_await eventually([&] { return server_->connections() == 0; });
  }());
}

TEST_F(Writer, reads_and_writes_go_on_at_the_same_time) {
  start([](Request& request, ResponseWriter& writer) -> Task<void> {
    co_await writer.start_stream(200, {});
    char buffer[100];
    while (true) {
      const auto n = co_await request.body.read_some(buffer);
      if (!n) co_return;
      if (*n == 0) break;
      co_await writer.write({buffer, *n});
    }
    co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int round = 0; round < 2; ++round) {
      co_await peer.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
      co_await peer.receive_until("\r\n\r\n");
      for (int i = 0; i < 20; ++i) {
        co_await peer.send("4\r\necho\r\n");
        EXPECT_EQ(co_await peer.receive_some(), "4\r\necho\r\n");
      }
      co_await peer.send("0\r\n\r\n");
      EXPECT_EQ(co_await peer.receive_some(), "0\r\n\r\n");
    }
  }());
}

}  // namespace
