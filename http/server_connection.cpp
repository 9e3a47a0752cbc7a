#include "http/server_connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/combine.h"
#include "base/strings.h"
#include "http/gzip.h"
#include "http/scratch.h"

namespace http {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// How long pipelined requests are served before other connections have their turn.
constexpr std::chrono::microseconds kTurn{500};

// How much of a body that nobody wants is read to keep the connection.
constexpr size_t kDroppedBody = 256 * 1024;

bool expects_continue(const MessageHead& head) {
  const std::string* expect = head.headers.find("Expect");
  return expect != nullptr && same_token(*expect, "100-continue") && head.minor_version >= 1;
}

base::Task<void> writable(base::Stream& stream) { co_await stream.writable(); }

base::Result<Request> make_request(MessageHead head, BodyReader& body) {
  TRY(const Target target, split_target(head.target));
  TRY(Query query, parse_query(target.query));
  std::string path(target.path);
  return Request{.method = std::move(head.method),
                 .target = std::move(head.target),
                 .path = std::move(path),
                 .query = std::move(query),
                 .headers = std::move(head.headers),
                 .minor_version = head.minor_version,
                 .keep_alive = head.keep_alive,
                 .body = body};
}

}  // namespace

ServerConnection::ServerConnection(base::Fd fd, const Handler& handler, const Limits& limits,
                                   WaitingClients& waiting)
    : handler_(handler),
      limits_(limits),
      waiting_(waiting),
      stream_(std::move(fd)),
      reader_(stream_, MessageParser::Kind::kRequest,
              {.bytes = limits.head_bytes, .count = limits.header_count}) {}

base::Task<void> ServerConnection::run(const Greeting* greeting) {
  if (greeting != nullptr && !co_await greet(*greeting)) {
    co_await wind_down();
    co_return;
  }
  auto turn_began = Clock::now();
  while (co_await read_head()) {
    if (!co_await serve_request()) break;
    reader_.next_message();
    if (Clock::now() - turn_began < kTurn) continue;
    co_await base::next_turn();
    turn_began = Clock::now();
  }
  co_await wind_down();
}

base::Task<bool> ServerConnection::greet(const Greeting& greeting) {
  const Waiting waiting(*this);
  const auto end = co_await base::with_timeout(greeting(stream_), limits_.greeting_timeout);
  if (!end) co_return false;
  if (!*end) {
    // Who was refused may be sending a request already.
    request_under_way_ = true;
    if (end->error().kind == base::ErrorKind::kInvalid) co_await refuse(400, end->error().message);
  }
  co_return end->has_value();
}

base::Task<bool> ServerConnection::read_head() {
  const Waiting waiting(*this);
  std::optional<Clock::time_point> deadline;
  while (true) {
    const auto state = reader_.try_read_head();
    if (!state) {
      if (state.error().kind != base::ErrorKind::kInternal) {
        co_await refuse(reader_.refusal(), state.error().message);
      }
      co_return false;
    }
    if (*state == MessageReader::HeadState::kComplete) co_return true;
    if (*state == MessageReader::HeadState::kClosed) co_return false;
    if (!deadline && reader_.head_started()) deadline = Clock::now() + limits_.head_timeout;
    if (!deadline) {
      co_await reader_.readable();
    } else if (!co_await base::with_timeout(reader_.readable(), *deadline - Clock::now())) {
      co_await refuse(408, {});
      co_return false;
    }
  }
}

base::Task<bool> ServerConnection::serve_request() {
  MessageHead head = reader_.take_head();
  expects_continue_ = expects_continue(head);
  body_received_.clear();
  if (reader_.complete()) body_received_.set();

  Body body(*this);
  std::optional<GzipReader> inflated;
  const std::string* encoding = head.headers.find("Content-Encoding");
  if (encoding != nullptr && same_token(*encoding, "gzip")) inflated.emplace(body);
  auto request =
      make_request(std::move(head), inflated ? static_cast<BodyReader&>(*inflated) : body);
  if (!request) {
    co_await refuse(400, request.error().message);
    co_return false;
  }

  ResponseWriter writer(*this, *request);
  const auto end = co_await base::any_of(handler_(*request, writer), abandoned(writer));
  if (end.index() == 1) co_return false;
  if (!writer.started()) {
    const auto& broken = inflated && inflated->error() ? inflated->error() : reader_.error();
    co_await writer.send(broken ? error_response(400, broken->message) : error_response(500));
  }
  // Who is kept may have closed without reading answers; what it had sent before is served still.
  const bool delivered = writer.intact() || (kept_ && writer.undelivered());
  co_return delivered&& reader_.complete();
}

base::Task<void> ServerConnection::abandoned(ResponseWriter& writer) {
  co_await stream_.watch().peer_closed();
  if (!reader_.rest_has_arrived()) co_await body_received_.wait();
  // What the handler can answer without waiting for others is answered, and a whole response
  // delivered, without asking whether there still is somebody.
  co_await base::next_turn();
  if (writer.complete()) co_await std::suspend_always{};
  co_await writer.client_gone();
}

base::Task<void> ServerConnection::refuse(int status, std::string reason) {
  const Response response = error_response(status, std::move(reason));
  Headers headers = response.headers;
  headers.set("Content-Length", base::concat(response.body.size()));
  headers.set("Connection", "close");
  const std::string bytes = format_response_head(status, headers) + "\r\n" + response.body;
  // Not longer than it is worth: nobody else would notice that such a client does not read.
  co_await base::with_timeout(stream_.write_all(bytes), limits_.drain_total);
}

base::Task<void> ServerConnection::wind_down() {
  // Closing a TCP socket with unread bytes makes the kernel send a reset, which can destroy what
  // the client has not read yet. So they are read first: those that are there, and if the request
  // has not ended, those that are still under way.
  const Waiting waiting(*this);
  co_await end_sending();
  const auto deadline = Clock::now() + limits_.drain_total;
  bool wait = request_under_way_ || (reader_.head_started() && !reader_.complete());
  size_t dropped = 0;
  while (dropped < limits_.drain_bytes) {
    const auto n = reader_.discard();
    if (!n || *n == 0) co_return;
    if (*n > 0) {
      dropped += static_cast<size_t>(*n);
      wait = true;
      continue;
    }
    const auto left =
        std::min<std::chrono::nanoseconds>(limits_.drain_idle, deadline - Clock::now());
    if (!wait || !co_await base::with_timeout(reader_.readable(), left)) co_return;
  }
}

base::Task<void> ServerConnection::end_sending() {
  while (!stream_.shutdown_write()) {
    if (!co_await base::with_timeout(writable(stream_), limits_.drain_idle)) co_return;
  }
}

void ServerConnection::drop_body() {
  ScratchBuffer buffer;
  size_t dropped = 0;
  while (dropped < kDroppedBody) {
    const auto n = reader_.try_read_body(buffer.span());
    if (!n || *n <= 0) break;
    dropped += static_cast<size_t>(*n);
  }
  if (reader_.complete()) body_received_.set();
}

void ServerConnection::send_continue() {
  if (!interim_.empty()) return;
  interim_ = kContinue;
  try_flush_interim();
}

void ServerConnection::try_flush_interim() {
  while (!interim_.empty()) {
    const iovec part{const_cast<char*>(interim_.data()), interim_.size()};
    const auto n = stream_.try_write({&part, 1});
    if (n && *n == base::Stream::kWouldBlock) return;
    // If it fails, so will everything after it.
    interim_.remove_prefix(n ? static_cast<size_t>(*n) : interim_.size());
  }
}

base::Task<void> ServerConnection::flush_interim() {
  while (true) {
    try_flush_interim();
    if (interim_.empty()) co_return;
    co_await stream_.writable();
  }
}

base::Result<ssize_t> ServerConnection::Body::try_read(std::span<char> buffer) {
  // Not if the client has not waited, or is answered already.
  if (std::exchange(connection_.expects_continue_, false) && !connection_.reader_.has_buffered() &&
      !connection_.reader_.complete()) {
    connection_.send_continue();
  }
  const auto n = connection_.reader_.try_read_body(buffer);
  if (connection_.reader_.complete()) connection_.body_received_.set();
  return n;
}

base::Task<void> ServerConnection::Body::readable() {
  std::optional<Waiting> waiting;
  if (collected_) waiting.emplace(connection_);
  co_await connection_.flush_interim();
  co_await connection_.reader_.readable();
}

}  // namespace http
