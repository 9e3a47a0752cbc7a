#include "http/client.h"

#include <array>
#include <utility>

#include "base/strings.h"
#include "http/chunk.h"
#include "http/message.h"
#include "http/message_reader.h"
#include "http/scratch.h"

namespace http {

namespace {

iovec part(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

}  // namespace

base::Result<ssize_t> ClientResponse::try_read(std::span<char> buffer) {
  return reader_->try_read_body(buffer);
}

base::Task<void> ClientResponse::readable() { return reader_->readable(); }

bool ClientResponse::complete() const { return reader_->complete(); }

ClientConnection::ClientConnection(base::Fd fd)
    : stream_(std::make_unique<base::Stream>(std::move(fd))),
      reader_(std::make_unique<MessageReader>(*stream_, MessageParser::Kind::kResponse)) {}

ClientConnection::ClientConnection(ClientConnection&&) noexcept = default;
ClientConnection& ClientConnection::operator=(ClientConnection&&) noexcept = default;
ClientConnection::~ClientConnection() = default;

base::Task<base::Status> ClientConnection::send_head(std::string_view method,
                                                     std::string_view target, Headers headers,
                                                     BodyKind body, uint64_t length) {
  return begin(method, target, std::move(headers), body, length, {});
}

base::Task<base::Status> ClientConnection::send(std::string_view method, std::string_view target,
                                                Headers headers, std::string_view body) {
  const bool bodiless = body.empty() && (method == "GET" || method == "HEAD");
  return begin(method, target, std::move(headers), bodiless ? BodyKind::kNone : BodyKind::kLength,
               body.size(), body);
}

// Not a coroutine: what the views point to is only needed until this returns, except for `body`.
base::Task<base::Status> ClientConnection::begin(std::string_view method, std::string_view target,
                                                 Headers headers, BodyKind kind, uint64_t length,
                                                 std::string_view body) {
  if (!headers.has("Host")) headers.set("Host", "localhost");
  if (kind == BodyKind::kLength) headers.set("Content-Length", base::concat(length));
  if (kind == BodyKind::kChunked) headers.set("Transfer-Encoding", "chunked");
  std::string head = format_request_head(method, target, headers);
  head += "\r\n";
  return send_request(std::move(head), kind, length, body, method == "HEAD");
}

base::Task<base::Status> ClientConnection::send_request(std::string head, BodyKind kind,
                                                        uint64_t length, std::string_view body,
                                                        bool head_only) {
  if (send_state_ != SendState::kIdle || (used_ && !reader_->complete())) {
    co_return base::fail("The connection is in the middle of another request");
  }
  reader_->next_message(head_only);
  used_ = true;
  head_only_ = head_only;
  response_given_ = false;
  length_left_ = length - body.size();
  SendState then = SendState::kIdle;
  if (kind == BodyKind::kChunked) then = SendState::kChunked;
  if (kind == BodyKind::kLength && length_left_ > 0) then = SendState::kLength;
  std::array parts = {part(head), part(body)};
  co_return co_await send_parts(parts, then);
}

base::Task<base::Status> ClientConnection::send_parts(std::span<iovec> parts, SendState then) {
  send_state_ = SendState::kWriting;
  auto status = co_await stream_->write_all(parts);
  send_state_ = status ? then : SendState::kFailed;
  co_return status;
}

base::Task<base::Status> ClientConnection::write(std::string_view data) {
  if (turns_.due()) co_await turns_.yield();
  const SendState state = send_state_;
  if (state == SendState::kLength && data.size() <= length_left_) {
    length_left_ -= data.size();
    turns_.moved(data.size());
    std::array parts = {part(data)};
    co_return co_await send_parts(parts, state);
  }
  if (state == SendState::kChunked) {
    if (data.empty()) co_return {};
    turns_.moved(data.size());
    const ChunkHead head(data.size());
    std::array parts = {part(head.text()), part(data), part("\r\n")};
    co_return co_await send_parts(parts, state);
  }
  co_return base::fail(state == SendState::kLength ? "The body is longer than was announced"
                                                   : "No body can be sent now");
}

base::Task<base::Status> ClientConnection::finish() {
  if (send_state_ == SendState::kChunked) {
    std::array parts = {part(kLastChunk)};
    co_return co_await send_parts(parts, SendState::kIdle);
  }
  if (send_state_ == SendState::kLength && length_left_ == 0) send_state_ = SendState::kIdle;
  if (send_state_ == SendState::kIdle) co_return {};
  co_return base::fail("The body is shorter than was announced, or broken");
}

base::Task<base::Result<ClientResponse>> ClientConnection::read_response() {
  if (response_given_) co_return base::fail("The response was read already");
  while (true) {
    CO_TRY(const auto state, reader_->try_read_head());
    if (state == MessageReader::HeadState::kClosed) {
      co_return base::fail(base::ErrorKind::kClosed,
                           "The server closed the connection without a response");
    }
    if (state == MessageReader::HeadState::kIncomplete) {
      co_await reader_->readable();
      continue;
    }
    MessageHead head = reader_->take_head();
    if (head.status / 100 == 1) {
      reader_->next_message(head_only_);
      continue;
    }
    ClientResponse response(*reader_);
    response.status = head.status;
    response.reason = std::move(head.reason);
    response.headers = std::move(head.headers);
    keep_alive_ = head.keep_alive;
    response_given_ = true;
    co_return response;
  }
}

void ClientConnection::finish_sending() { stream_->shutdown_write(); }

bool ClientConnection::reusable() const {
  return send_state_ == SendState::kIdle &&
         (!used_ || (response_given_ && keep_alive_ && reader_->complete())) &&
         !reader_->has_buffered() && !stream_->watch().is_peer_closed();
}

base::Task<void> ClientConnection::server_closed() { co_await stream_->watch().peer_closed(); }

base::Task<base::Status> relay_body(BodyReader& from, ClientConnection& to) {
  while (true) {
    ssize_t n = 0;
    {
      ScratchBuffer buffer;
      CO_TRY(n, from.try_read(buffer.span()));
      if (n > 0) {
        CO_TRY_VOID(co_await to.write({buffer.span().data(), static_cast<size_t>(n)}));
      }
    }
    if (n == 0) co_return co_await to.finish();
    if (n == BodyReader::kWouldBlock) co_await from.readable();
  }
}

}  // namespace http
