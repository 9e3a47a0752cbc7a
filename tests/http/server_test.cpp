#include "http/server.h"

#include <string>
#include <vector>

#include "base/strings.h"
#include "http/gzip.h"
#include "tests/http/support.h"

namespace {

using namespace http_test;
using http::Request;
using http::Response;
using http::ResponseWriter;

// Answers with what it was asked, as text.
Task<void> describe(Request& request, ResponseWriter& writer) {
  const auto body = co_await http::read_all(request.body, 1 << 20);
  if (!body) {
    co_await writer.send(http::error_response(body.error()));
    co_return;
  }
  std::string text = base::concat(request.method, ' ', request.path);
  for (const auto& [name, value] : request.query) text += base::concat(" ", name, "=", value);
  for (const auto& [name, value] : request.headers) text += base::concat(" ", name, ":", value);
  text += base::concat(" [", *body, "]");
  co_await writer.send({200, {{"Content-Type", "text/plain"}}, text});
}

Task<void> hello(Request&, ResponseWriter& writer) {
  co_await writer.send({200, {{"Content-Type", "text/plain"}}, "hello"});
}

class Server : public ServerTest {};

TEST_F(Server, answers) {
  start(describe);
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("POST /a%20b?c=d+e HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi");
    const std::string head = co_await peer.receive_until("\r\n\r\n");
    EXPECT_TRUE(head.starts_with("HTTP/1.1 200 OK\r\nDate: ")) << head;
    EXPECT_TRUE(head.ends_with("Content-Type: text/plain\r\nContent-Length: 46\r\n\r\n")) << head;
    EXPECT_EQ(co_await peer.receive_until("]"), "POST /a%20b c=d e Host:x Content-Length:2 [hi]");
  }());
}

TEST_F(Server, takes_requests_byte_by_byte) {
  start(describe);
  const std::string request =
      "POST /p HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n";
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int round = 0; round < 3; ++round) {
      for (const char c : request) {
        co_await peer.send(std::string(1, c));
        co_await base::next_turn();
      }
      const Reply reply = co_await peer.receive_reply();
      EXPECT_EQ(reply.status, 200);
      EXPECT_EQ(reply.body, "POST /p Transfer-Encoding:chunked [abcde]");
    }
  }());
}

TEST_F(Server, takes_requests_split_at_every_position) {
  start(describe);
  const std::string request =
      "POST /p HTTP/1.1\r\nContent-Length: 5\r\n\r\nabcdePOST /q HTTP/1.1\r\n"
      "Transfer-Encoding: chunked\r\n\r\n5\r\nfghij\r\n0\r\n\r\n";
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (size_t i = 1; i < request.size(); ++i) {
      co_await peer.send(request.substr(0, i));
      for (int turn = 0; turn < 3; ++turn) co_await base::next_turn();
      co_await peer.send(request.substr(i));
      const Reply first = co_await peer.receive_reply();
      EXPECT_EQ(first.body, "POST /p Content-Length:5 [abcde]") << i;
      const Reply second = co_await peer.receive_reply();
      EXPECT_EQ(second.body, "POST /q Transfer-Encoding:chunked [fghij]") << i;
    }
  }());
}

TEST_F(Server, answers_pipelined_requests_in_order_one_at_a_time) {
  int running = 0;
  start([&](Request& request, ResponseWriter& writer) -> Task<void> {
    EXPECT_EQ(++running, 1);
    // The earlier, the longer.
    co_await base::sleep_for(std::chrono::milliseconds(10 - request.path[1] + '0'));
    co_await writer.send({200, {}, request.path});
    --running;
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    std::string requests;
    for (int i = 0; i < 10; ++i) requests += base::concat("GET /", i, " HTTP/1.1\r\n\r\n");
    co_await peer.send(requests);
    for (int i = 0; i < 10; ++i) {
      const Reply reply = co_await peer.receive_reply();
      EXPECT_EQ(reply.body, base::concat("/", i));
    }
  }());
}

TEST_F(Server, answers_thousands_of_pipelined_requests) {
  start(describe);
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    constexpr int kRequests = 3000;
    const auto send = [&]() -> Task<void> {
      std::string requests;
      for (int i = 0; i < kRequests; ++i) {
        requests += base::concat("POST /", i, " HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc");
      }
      co_await peer.send(requests);
    };
    const auto receive = [&]() -> Task<void> {
      for (int i = 0; i < kRequests; ++i) {
        const Reply reply = co_await peer.receive_reply();
        EXPECT_EQ(reply.body, base::concat("POST /", i, " Content-Length:3 [abc]"));
        if (reply.status != 200) co_return;
      }
    };
    co_await base::all_of(send(), receive());
  }());
}

// Each request on a connection of its own: what the reply says of the connection, and whether the
// server closes it.
TEST_F(Server, keeps_or_closes_the_connection) {
  start(hello);
  struct Case {
    std::string request;
    bool closes;
    std::string connection;  // in the reply
  };
  const std::vector<Case> cases = {
      {"GET / HTTP/1.1\r\n\r\n", false, ""},
      {"GET / HTTP/1.1\r\nConnection: keep-alive\r\n\r\n", false, ""},
      {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", true, ""},
      {"GET / HTTP/1.1\r\nconnection: Close\r\n\r\n", true, ""},
      {"GET / HTTP/1.0\r\n\r\n", true, ""},
      {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", false, "keep-alive"},
  };
  run([&]() -> Task<void> {
    for (const Case& c : cases) {
      Peer peer = co_await connect();
      const Reply reply = co_await peer.exchange(c.request);
      EXPECT_EQ(reply.body, "hello");
      const std::string* connection = reply.headers.find("Connection");
      EXPECT_EQ(connection == nullptr ? "" : *connection, c.connection) << c.request;
      if (c.closes) {
        EXPECT_EQ(co_await peer.receive_some(), "") << c.request;
        EXPECT_FALSE(peer.was_reset());
      } else {
        const Reply again = co_await peer.exchange(c.request);
        EXPECT_EQ(again.body, "hello") << c.request;
      }
    }
  }());
}

TEST_F(Server, a_handler_can_close_the_connection) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.send({200, {{"Connection", "close"}}, "bye"});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
    const Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.body, "bye");
    EXPECT_EQ(*reply.headers.find("Connection"), "close");
    EXPECT_EQ(co_await peer.receive_some(), "");
    EXPECT_FALSE(peer.was_reset());
  }());
}

TEST_F(Server, head_gets_the_length_but_no_body) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.send({200, {{"Content-Type", "text/plain"}}, std::string(100, 'x')});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    const Reply head = co_await peer.receive_reply(true);
    EXPECT_EQ(*head.headers.find("Content-Length"), "100");
    EXPECT_TRUE(head.complete);
    const Reply get = co_await peer.receive_reply();
    EXPECT_EQ(get.body.size(), 100u);
  }());
}

TEST_F(Server, an_empty_body_has_no_type) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.send({202, {{"Content-Type", "application/json"}}, ""});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    const Reply reply = co_await peer.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(reply.status, 202);
    EXPECT_EQ(*reply.headers.find("Content-Length"), "0");
    EXPECT_FALSE(reply.headers.has("Content-Type"));
    EXPECT_TRUE(reply.headers.has("Date"));
  }());
}

TEST_F(Server, no_content_has_no_length) {
  start([](Request&, ResponseWriter& writer) -> Task<void> {
    co_await writer.send({204, {}, "dropped"});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int i = 0; i < 2; ++i) {
      const Reply reply = co_await peer.exchange("GET / HTTP/1.1\r\n\r\n");
      EXPECT_EQ(reply.status, 204);
      EXPECT_FALSE(reply.headers.has("Content-Length"));
      EXPECT_TRUE(reply.complete);
    }
  }());
}

TEST_F(Server, a_handler_without_an_answer_makes_a_500) {
  start([](Request& request, ResponseWriter&) -> Task<void> {
    co_await http::read_all(request.body, 1000);
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    const Reply reply = co_await peer.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_EQ(reply.status, 500);
    EXPECT_EQ(reply.body, "500 Internal Server Error.");
    EXPECT_EQ(*reply.headers.find("Content-Type"), "text/plain; charset=utf-8");
    // If it is the request that is broken, a 400.
    co_await peer.send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
    const Reply broken = co_await peer.receive_reply();
    EXPECT_EQ(broken.status, 400);
    EXPECT_EQ(broken.body, "Failed to parse the HTTP request: invalid character in a chunk size");
    EXPECT_EQ(*broken.headers.find("Connection"), "close");
    EXPECT_EQ(co_await peer.receive_some(), "");
    EXPECT_FALSE(peer.was_reset());
  }());
}

TEST_F(Server, tells_what_it_cannot_parse_and_closes) {
  start(hello);
  struct Case {
    std::string request;
    int status;
    std::string reason;
  };
  const std::vector<Case> cases = {
      {"nonsense\r\n\r\n", 400, "Failed to parse the HTTP request: invalid HTTP method"},
      {"GET / HTTP/2.0\r\n\r\n", 505, "Failed to parse the HTTP request: only HTTP/1.x is served"},
      {"GET /?a=%zz HTTP/1.1\r\n\r\n", 400, "Malformed % escape in '%zz': '%zz'"},
      {"OPTIONS * HTTP/1.1\r\n\r\n", 400, "Request URL path must start with '/'"},
      {"CONNECT host:80 HTTP/1.1\r\n\r\n", 400, "Request URL path must start with '/'"},
      {"GET / HTTP/1.1\r\nA: " + std::string(100000, 'x') + "\r\n\r\n", 431,
       "Failed to parse the HTTP request: too many header bytes"},
  };
  run([&]() -> Task<void> {
    for (const Case& c : cases) {
      Peer peer = co_await connect();
      co_await peer.send("GET / HTTP/1.1\r\n\r\n" + c.request);
      const Reply good = co_await peer.receive_reply();
      EXPECT_EQ(good.status, 200);
      const Reply reply = co_await peer.receive_reply();
      EXPECT_EQ(reply.status, c.status) << c.request.substr(0, 50);
      EXPECT_TRUE(reply.body.starts_with(c.reason)) << reply.body;
      EXPECT_EQ(*reply.headers.find("Connection"), "close");
      EXPECT_EQ(*reply.headers.find("Content-Type"), "text/plain; charset=utf-8");
      EXPECT_TRUE(reply.headers.has("Date"));
      EXPECT_EQ(co_await peer.receive_some(), "");
      EXPECT_FALSE(peer.was_reset());
    }
  }());
}

TEST_F(Server, answers_a_head_that_is_cut_short) {
  start(hello);
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    co_await peer.send("GET / HTTP/1.1\r\nHo");
    peer.half_close();
    const Reply reply = co_await peer.receive_reply();
    EXPECT_EQ(reply.status, 400);
    EXPECT_EQ(reply.body, "The request was cut short");
  }());
}

TEST_F(Server, inflates_requests) {
  start(describe);
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    const std::string packed = http::gzip("squeezed");
    const std::string head = "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\n";
    Reply reply = co_await peer.exchange(
        base::concat(head, "Content-Length: ", packed.size(), "\r\n\r\n", packed));
    EXPECT_TRUE(reply.body.ends_with("[squeezed]")) << reply.body;

    std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
    for (const char c : packed) chunked += base::concat("1\r\n", c, "\r\n");
    reply = co_await peer.exchange(chunked + "0\r\n\r\n");
    EXPECT_TRUE(reply.body.ends_with("[squeezed]")) << reply.body;

    const std::string bomb = http::gzip(std::string(2 << 20, 'x'));
    reply = co_await peer.exchange(
        base::concat(head, "Content-Length: ", bomb.size(), "\r\n\r\n", bomb));
    EXPECT_EQ(reply.status, 413);

    peer = co_await connect();
    reply = co_await peer.exchange(head + "Content-Length: 3\r\n\r\nabc");
    EXPECT_EQ(reply.status, 400);
    EXPECT_TRUE(reply.body.starts_with("Failed to inflate")) << reply.body;
    reply = co_await peer.exchange(head + "Content-Length: 0\r\n\r\n");
    EXPECT_EQ(reply.status, 200);
  }());
}

TEST_F(Server, an_inflated_stream_can_be_read_as_it_comes) {
  // What is inflated from the flushed first half of the body must not wait for the second.
  std::string seen;
  start([&](Request& request, ResponseWriter& writer) -> Task<void> {
    char buffer[100];
    while (true) {
      const auto n = co_await request.body.read_some(buffer);
      if (!n || *n == 0) break;
      seen.append(buffer, *n);
    }
    co_await writer.send({200, {}, seen});
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    const std::string first = http::gzip("first ");
    const std::string second = http::gzip("second");
    co_await peer.send(base::concat("POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: ",
                                    first.size() + second.size(), "\r\n\r\n", first));
    co_await eventually([&] { return seen == "first "; });
    const Reply reply = co_await peer.exchange(second);
    EXPECT_EQ(reply.body, "first second");
  }());
}

TEST_F(Server, compresses_large_replies_if_the_client_wants) {
  start([](Request& request, ResponseWriter& writer) -> Task<void> {
    http::Headers headers = {{"Content-Type", "text/plain"}};
    if (request.query.find("encoded") != nullptr) headers.append("Content-Encoding", "x");
    const size_t size = request.query.find("small") != nullptr ? 1023 : 1024;
    co_await writer.send({200, headers, std::string(size, 'x')});
  });
  struct Case {
    std::string target, accept;
    bool compressed;
  };
  const std::vector<Case> cases = {
      {"/", "gzip", true},         {"/", "*", true}, {"/", "gzip;q=0", false},
      {"/", "identity", false},    {"/", "", false}, {"/?small", "gzip", false},
      {"/?encoded", "gzip", false}};
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (const Case& c : cases) {
      const Reply reply = co_await peer.exchange(
          base::concat("GET ", c.target, " HTTP/1.1\r\nAccept-Encoding: ", c.accept, "\r\n\r\n"));
      const std::string* encoding = reply.headers.find("Content-Encoding");
      EXPECT_EQ(encoding != nullptr && *encoding == "gzip", c.compressed) << c.target << c.accept;
      EXPECT_EQ(reply.body.size() < 1000, c.compressed);
      EXPECT_EQ(*reply.headers.find("Content-Length"), base::concat(reply.body.size()));
      if (c.compressed) EXPECT_EQ(reply.body, http::gzip(std::string(1024, 'x')));
    }
    const Reply plain = co_await peer.exchange("GET / HTTP/1.1\r\n\r\n");
    EXPECT_FALSE(plain.headers.has("Content-Encoding"));
  }());
}

TEST_F(Server, misuse_of_the_writer_is_an_error) {
  int errors = 0;
  start([&](Request&, ResponseWriter& writer) -> Task<void> {
    EXPECT_FALSE(writer.started());
    errors += !co_await writer.write("x");
    errors += !co_await writer.finish();
    EXPECT_TRUE((co_await writer.send({200, {}, "ok"})).has_value());
    EXPECT_TRUE(writer.complete());
    errors += !co_await writer.send({200, {}, "again"});
    errors += !co_await writer.start_stream(200, {});
    errors += !co_await writer.write("x");
    errors += !co_await writer.finish();
  });
  run([&]() -> Task<void> {
    Peer peer = co_await connect();
    for (int i = 0; i < 2; ++i) {
      const Reply reply = co_await peer.exchange("GET / HTTP/1.1\r\n\r\n");
      EXPECT_EQ(reply.body, "ok");
    }
    EXPECT_EQ(errors, 12);
    EXPECT_TRUE(peer.unread().empty());
  }());
}

TEST_F(Server, serves_unix_sockets_and_many_connections) {
  start(describe);
  run([&]() -> Task<void> {
    SocketPair pair = make_socketpair();
    base::Scope scope;
    scope.spawn(server_->serve_connection(std::move(pair.ours)));
    Peer local(std::move(pair.theirs));
    const Reply reply = co_await local.exchange("GET /local HTTP/1.1\r\n\r\n");
    EXPECT_EQ(reply.body, "GET /local []");

    std::vector<Peer> peers;
    for (int i = 0; i < 100; ++i) peers.push_back(co_await connect());
    for (Peer& peer : peers) co_await peer.send("GET / HTTP/1.1\r\n\r\n");
    for (Peer& peer : peers) {
      const Reply each = co_await peer.receive_reply();
      EXPECT_EQ(each.status, 200);
    }
    EXPECT_EQ(server_->connections(), 101u);
    peers.clear();
    local.close();
    co_await eventually([&] { return server_->connections() == 0; });
  }());
}

TEST_F(Server, serve_fails_on_what_is_no_listening_socket) {
  start(hello);
  run([&]() -> Task<void> {
    const auto status = co_await server_->serve(make_socketpair().ours);
    EXPECT_FALSE(status.has_value());
  }());
}

}  // namespace
