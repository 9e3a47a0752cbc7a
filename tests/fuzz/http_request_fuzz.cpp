// HTTP requests: any bytes, in any pieces, are parsed to the same; and a whole server, fed with
// them over a socket pair, ends.
#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "base/combine.h"
#include "base/event_loop.h"
#include "base/stream.h"
#include "http/message_parser.h"
#include "http/server.h"
#include "http/url.h"

namespace {

using base::Task;

struct Message {
  std::string method;
  std::string target;
  std::string headers;
  std::string body;
  bool complete = false;
  bool failed = false;

  bool operator==(const Message&) const = default;
};

// All messages of a connection, up to the first error.
std::vector<Message> parse(std::string_view stream, size_t piece) {
  http::MessageParser parser(http::MessageParser::Kind::kRequest, {.bytes = 4096, .count = 20});
  std::vector<Message> messages(1);
  while (!stream.empty()) {
    Message& message = messages.back();
    std::string bytes(stream.substr(0, piece));
    if (!parser.head_complete()) {
      const auto consumed = parser.feed_head(bytes);
      message.failed = !consumed;
      if (!consumed) break;
      if (*consumed > bytes.size() || (*consumed == 0 && !bytes.empty())) std::abort();
      stream.remove_prefix(*consumed);
      if (!parser.head_complete()) continue;
      http::MessageHead head = parser.take_head();
      message.method = head.method;
      message.target = head.target;
      for (const auto& [name, value] : head.headers) message.headers += name + ':' + value + '\n';
      if (const auto target = http::split_target(head.target)) {
        static_cast<void>(http::parse_query(target->query));
        static_cast<void>(http::percent_decode(target->path));
      }
    } else {
      const auto decoded = parser.feed_body(bytes, bytes.data());
      message.failed = !decoded;
      if (!decoded) break;
      if (decoded->consumed > bytes.size() || decoded->produced > decoded->consumed) std::abort();
      message.body.append(bytes, 0, decoded->produced);
      stream.remove_prefix(decoded->consumed);
    }
    if (parser.complete()) {
      message.complete = true;
      messages.emplace_back();
      parser.reset();
    }
  }
  // How much of a broken message was delivered depends on the pieces.
  if (messages.back().failed) messages.back() = Message{.failed = true};
  return messages;
}

// Reads every body to its end and sends it back, every other as a stream.
Task<void> echo(http::Request& request, http::ResponseWriter& writer) {
  auto body = co_await http::read_all(request.body, 1 << 16);
  if (!body) co_return;
  if (body->size() % 2 == 0) {
    co_await writer.send({200, {{"Content-Type", "text/plain"}}, *std::move(body)});
    co_return;
  }
  co_await writer.start_stream(200, request.headers);
  co_await writer.write(*body);
  co_await writer.finish();
}

void serve(std::string_view stream) {
  static base::EventLoop loop;
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0) std::abort();
  http::Server server(echo, {.drain_idle = std::chrono::milliseconds(1)});

  const auto client = [&]() -> Task<void> {
    base::Stream peer{base::Fd(fds[1])};
    const auto send = [&]() -> Task<void> {
      static_cast<void>(co_await peer.write_all(stream));
      peer.shutdown_write();
    };
    const auto receive = [&]() -> Task<void> {
      std::string buffer(4096, '\0');
      while (true) {
        const auto n = co_await peer.read_some(buffer);
        if (!n || *n == 0) co_return;
      }
    };
    co_await base::all_of(send(), receive());
  };
  const auto both = [&]() -> Task<void> {
    const auto end = co_await base::with_timeout(
        [](Task<void> a, Task<void> b) -> Task<void> {
          co_await base::all_of(std::move(a), std::move(b));
        }(server.serve_connection(base::Fd(fds[0])), client()),
        std::chrono::seconds(10));
    if (!end) std::abort();
    loop.stop();
  };
  struct Ignored final : base::internal::Completion {
    void task_done() override {}
  } ignored;
  Task<void> task = both();
  task.start(ignored);
  loop.run();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view stream(reinterpret_cast<const char*>(data), size);
  const auto whole = parse(stream, std::max<size_t>(size, 1));
  for (const size_t piece : {1, 7, 100}) {
    if (parse(stream, piece) != whole) std::abort();
  }
  serve(stream);
  return 0;
}
