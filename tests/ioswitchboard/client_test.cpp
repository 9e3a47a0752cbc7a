// The agent's side, as the agent uses it: behind an HTTP server that has nothing else to do.
#include <sys/socket.h>

#include <algorithm>
#include <filesystem>

#include "base/scope.h"
#include "http/server.h"
#include "tests/ioswitchboard/support.h"

namespace ioswitchboard_test {
namespace {

class ClientTest : public SwitchboardTest {
 protected:
  // An agent with one container: POST /output and /input; input comes with its first record.
  void serve(Container& container) {
    container_ = &container;
    if (server_ != nullptr) return;
    server_ = std::make_unique<http::Server>(
        [this](http::Request& request, http::ResponseWriter& writer) {
          return request.path == "/output" ? output(*container_, request, writer)
                                           : input(*container_, request, writer);
        });
    auto listening = base::listen_tcp("127.0.0.1", 0, 64);
    port_ = base::local_port(listening->get()).value();
    scope_.spawn([](http::Server& server, base::Fd fd) -> Task<void> {
      [[maybe_unused]] const auto served = co_await server.serve(std::move(fd));
    }(*server_, *std::move(listening)));
  }

  void TearDown() override {
    scope_.cancel();
    SwitchboardTest::TearDown();
  }

  Task<http::ClientConnection> connect() {
    auto fd = co_await base::connect_tcp("127.0.0.1", port_);
    co_return http::ClientConnection(*std::move(fd));
  }
  Task<base::Stream> connect_raw() {
    auto fd = co_await base::connect_tcp("127.0.0.1", port_);
    co_return base::Stream(*std::move(fd));
  }

  Task<Attached> open_output(OutputForm form) {
    http::ClientConnection connection = co_await connect();
    [[maybe_unused]] const auto sent =
        co_await connection.send("POST", "/output", accept_headers(form));
    auto response = co_await connection.read_response();
    co_return Attached{std::move(connection), *std::move(response)};
  }

  Task<Writer> open_input(Encoding encoding = Encoding::kProtobuf) {
    co_return co_await begin_input(co_await connect(), encoding);
  }

  static Task<Writer> begin_input(http::ClientConnection connection, Encoding encoding) {
    [[maybe_unused]] const auto sent =
        co_await connection.send_head("POST", "/input",
                                      {{"Content-Type", std::string(kRecordIoType)},
                                       {"Message-Content-Type", std::string(media_type(encoding))}},
                                      http::BodyKind::kChunked);
    co_return Writer(std::move(connection), encoding);
  }

  // By a unix socket, whose end is seen at once; that of a TCP connection comes behind all data, so
  // it is not seen before the agent has had room for those.
  Task<Writer> open_local_input() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    scope_.spawn(server_->serve_connection(base::Fd(fds[0])));
    http::ClientConnection connection{base::Fd(fds[1])};
    co_return co_await begin_input(std::move(connection), Encoding::kProtobuf);
  }

  // The first record of all clients: the container's id.
  static std::string id_record() {
    std::string bytes;
    http::append_record("the id", &bytes);
    return bytes;
  }

  static Task<std::string> read_all(base::Stream& stream) {
    std::string bytes;
    char buffer[16384];
    while (true) {
      const auto n = co_await stream.read_some(buffer);
      if (!n || *n == 0) co_return bytes;
      bytes.append(buffer, *n);
    }
  }

 private:
  static Task<void> output(Container& container, http::Request& request,
                           http::ResponseWriter& writer) {
    const OutputForm form = parse_accept(request.headers).value();
    auto attached = co_await attach_output(container.directory, form, false);
    if (!attached) {
      [[maybe_unused]] const auto sent =
          co_await writer.send(http::error_response(attached.error()));
      co_return;
    }
    [[maybe_unused]] const auto passed = co_await pass_on(*attached, writer);
  }

  static Task<void> input(Container& container, http::Request& request,
                          http::ResponseWriter& writer) {
    const Encoding encoding = encoding_of(*request.headers.find("Message-Content-Type")).value();
    // Whatever comes with the first record has to be handed on.
    std::string read;
    size_t first_end = 0;
    while (first_end == 0) {
      char buffer[512];
      const auto n = co_await request.body.read_some(buffer);
      if (!n || *n == 0) {
        [[maybe_unused]] const auto sent = co_await writer.send(
            http::error_response(400, "Received EOF while reading request body"));
        co_return;
      }
      read.append(buffer, *n);
      const size_t line = read.find('\n');
      if (line == std::string::npos) continue;
      const size_t end = line + 1 + std::stoul(read);
      if (read.size() >= end) first_end = end;
    }
    auto response =
        co_await attach_input(container.directory, encoding,
                              std::string_view(read).substr(first_end), request.body, writer);
    [[maybe_unused]] const auto sent = co_await writer.send(
        response ? *std::move(response) : http::error_response(response.error()));
  }

  Container* container_ = nullptr;
  std::unique_ptr<http::Server> server_;
  uint16_t port_ = 0;
  base::Scope scope_;
};

TEST_F(ClientTest, PassesOutputOnUnchanged) {
  Container& container = start(session(), "echo out; sleep 0.1; echo err >&2");
  serve(container);
  run([&]() -> Task<void> {
    base::Stream client = co_await connect_raw();
    [[maybe_unused]] const auto sent = co_await client.write_all(
        "POST /output HTTP/1.1\r\nHost: x\r\nAccept: application/recordio\r\nConnection: close\r\n"
        "Message-Accept: application/x-protobuf\r\nContent-Length: 0\r\n\r\n");
    co_await finish(container);
    const std::string bytes = co_await read_all(client);
    EXPECT_TRUE(bytes.starts_with("HTTP/1.1 200 OK\r\n"));
    EXPECT_NE(bytes.find("\r\nContent-Type: application/recordio\r\n"), std::string::npos);
    EXPECT_NE(bytes.find("\r\nMessage-Content-Type: application/x-protobuf\r\n"),
              std::string::npos);
    using namespace std::string_view_literals;
    EXPECT_EQ(bytes.substr(bytes.find("\r\n\r\n") + 4),
              "f\r\n12\n\x08\x01\x12\x08\x08\x02\x12\x04out\n\r\n"
              "f\r\n12\n\x08\x01\x12\x08\x08\x03\x12\x04"
              "err\n\r\n0\r\n\r\n"sv);
  }());
}

TEST_F(ClientTest, PassesOnThatAStreamWasCutOff) {
  ServerOptions options;
  options.stall_timeout = 300ms;
  Container& container = start(options, "read go; head -c 40000000 /dev/zero; sleep 10");
  serve(container);
  run([&]() -> Task<void> {
    Reader slow(co_await open_output({Encoding::kProtobuf, true}), Encoding::kProtobuf);
    Writer writer = co_await open_input();
    co_await writer.send_raw(id_record());
    co_await writer.send(stdin_data("\n"));
    co_await eventually([&] { return container.out().size() == 40000000; });
    const Output output = co_await slow.read_all();
    EXPECT_TRUE(slow.broken());
    EXPECT_FALSE(slow.complete());
    EXPECT_LT(output.out.size(), 40000000u);
  }());
}

TEST_F(ClientTest, SaysThatTheSwitchboardIsGone) {
  Container& container = start("true");
  serve(container);
  run([&]() -> Task<void> {
    co_await finish(container);
    Attached output = co_await open_output({});
    EXPECT_EQ(output.response.status, 500);
    EXPECT_EQ((co_await http::read_all(output.response, 1000)).value(),
              "I/O switchboard has shutdown");
    Writer writer = co_await open_input();
    co_await writer.send_raw(id_record());
    EXPECT_EQ(co_await writer.answer(), 500);
    EXPECT_EQ(writer.text(), "I/O switchboard has shutdown");
  }());
}

TEST_F(ClientTest, PassesInputOn) {
  Container& container = start(session(), "cat");
  serve(container);
  run([&]() -> Task<void> {
    Reader reader(co_await open_output({Encoding::kJson, false}), Encoding::kJson);
    Writer first = co_await open_input(Encoding::kJson);
    co_await first.send_raw(id_record());
    co_await first.finish();
    Writer second = co_await open_input(Encoding::kJson);
    co_await second.send_raw(id_record());
    co_await second.send(stdin_data("a\n"));
    EXPECT_EQ(co_await first.answer(), 200);
    EXPECT_EQ(first.text(), "");
    co_await reader.read_until_out("a\n");
    Writer third = co_await open_input();
    co_await third.send_raw(id_record());
    EXPECT_EQ(co_await third.answer(), 409);
    EXPECT_EQ(third.text(), "Multiple input connections are not allowed");
    co_await second.send(window_size(1, 2));
    EXPECT_EQ(co_await second.answer(), 400);
    EXPECT_EQ(second.text(), "Unable to set the window size: Inappropriate ioctl for device");
    Writer fourth = co_await open_input();
    co_await fourth.send_raw(id_record());
    co_await fourth.send(stdin_data("b\n"));
    co_await fourth.send(stdin_data(""));
    co_await finish(container);
    EXPECT_EQ(co_await fourth.answer(), 200);
    EXPECT_EQ((co_await reader.read_all()).out, "a\nb\n");
    EXPECT_TRUE(reader.complete());
  }());
}

TEST_F(ClientTest, LetsTheNextWriterInWhenOneVanishes) {
  Container& container = start("sleep 10");
  serve(container);
  run([&]() -> Task<void> {
    // Of the first, everything is taken; of the second, what stdin and the switchboard's socket
    // hold; with the third, the agent is full as well.
    for (int records : {0, 4, 40}) {
      auto vanishes = std::make_unique<Writer>(co_await open_local_input());
      co_await vanishes->send_raw(id_record());
      const auto fill = [](Writer& writer, int count) -> Task<void> {
        for (; count > 0; --count) co_await writer.send(stdin_data(std::string(65536, 'x')));
      };
      co_await base::with_timeout(fill(*vanishes, records), 300ms);
      vanishes.reset();
      Writer next = co_await open_input();
      co_await next.send_raw(id_record());
      co_await next.finish();
      EXPECT_EQ(co_await next.answer(), 200) << records;
    }
  }());
}

TEST_F(ClientTest, AnswersALongStreamAtTheContainersEnd) {
  Container& container = start("sleep 10");
  serve(container);
  run([&]() -> Task<void> {
    Writer writer = co_await open_input();
    co_await writer.send_raw(id_record());
    co_await base::sleep_for(50ms);
    container.command->kill();
    co_await finish(container);
    EXPECT_EQ(co_await writer.answer(), 200);
  }());
}

// Requests as real clients have sent them, each to a new container with a terminal: whatever size
// they set and whatever they type, none is refused.
TEST_F(ClientTest, TakesWhatRealClientsSend) {
  std::vector<std::string> files;
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(TESTS_DATA_DIR "/recordings/clients")) {
    const std::string name = entry.path().filename();
    if (name.starts_with("ATTACH_CONTAINER_INPUT")) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  ASSERT_GT(files.size(), 10u);
  for (const std::string& file : files) {
    SCOPED_TRACE(file);
    std::string request = base::read_file(file).value();
    const size_t line_end = request.find("\r\n");
    request.replace(0, line_end, "POST /input HTTP/1.1");
    // They were cut off by their recorder where the client would have gone on.
    if (!request.ends_with("\r\n0\r\n\r\n")) request += "0\r\n\r\n";
    Container& container = start(terminal(), "sleep 10");
    serve(container);
    run([&]() -> Task<void> {
      base::Stream client = co_await connect_raw();
      [[maybe_unused]] const auto sent = co_await client.write_all(request);
      char buffer[1000];
      const auto n = co_await client.read_some(buffer);
      EXPECT_TRUE(std::string_view(buffer, n.value()).starts_with("HTTP/1.1 200 OK\r\n"))
          << std::string_view(buffer, *n);
    }());
  }
}

}  // namespace
}  // namespace ioswitchboard_test
