#include "http/response_writer.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <utility>

#include "base/strings.h"
#include "http/chunk.h"
#include "http/client.h"
#include "http/gzip.h"
#include "http/message_reader.h"
#include "http/scratch.h"
#include "http/server_connection.h"

namespace http {

namespace {

// A client that has closed its sending side is asked so often whether it is still there.
constexpr std::chrono::seconds kProbeInterval{30};

// Apache Mesos compresses replies from this size on.
constexpr size_t kGzipMinimum = 1024;

iovec part(std::string_view bytes) { return {const_cast<char*>(bytes.data()), bytes.size()}; }

bool has_no_body(int status) { return status / 100 == 1 || status == 204 || status == 304; }

bool says_close(const Headers& headers) {
  const std::string* connection = headers.find("Connection");
  return connection != nullptr && same_token(*connection, "close");
}

}  // namespace

ResponseWriter::ResponseWriter(ServerConnection& connection, const Request& request)
    : connection_(connection),
      head_only_(request.method == "HEAD"),
      minor_version_(request.minor_version),
      gzip_accepted_(accepts_gzip(request.headers)),
      close_(!request.keep_alive) {}

base::Task<base::Status> ResponseWriter::send(Response response) {
  CO_TRY_VOID(check(State::kUnanswered));
  state_ = State::kComplete;
  connection_.expects_continue_ = false;
  connection_.drop_body();

  Headers& headers = response.headers;
  std::string& body = response.body;
  headers.remove("Transfer-Encoding");
  // Clients take a type for the promise of a message; of an error they expect text.
  if (body.empty() && response.status < 400) headers.remove("Content-Type");
  if (gzip_accepted_ && body.size() >= kGzipMinimum && body.size() <= UINT_MAX &&
      !headers.has("Content-Encoding")) {
    body = gzip(body);
    headers.set("Content-Encoding", "gzip");
  }
  if (!has_no_body(response.status)) headers.set("Content-Length", base::concat(body.size()));
  decide_connection(&headers);

  const std::string head = format_response_head(response.status, headers) + "\r\n";
  const bool bodiless = head_only_ || has_no_body(response.status);
  std::array parts = {part(head), part(bodiless ? std::string_view() : body)};
  const ServerConnection::Waiting waiting(connection_);
  co_return co_await write_parts(parts);
}

base::Task<base::Status> ResponseWriter::start_stream(int status, Headers headers) {
  CO_TRY_VOID(check(State::kUnanswered));
  state_ = State::kStreaming;
  connection_.expects_continue_ = false;
  // The head may be that of another server's response.
  headers.remove("Content-Length");
  if (chunked()) {
    headers.set("Transfer-Encoding", "chunked");
  } else {
    headers.set("Connection", "close");
  }
  close_ = close_ || says_close(headers);
  const std::string head = format_response_head(status, headers) + "\r\n";
  std::array parts = {part(head)};
  co_return co_await write_parts(parts);
}

base::Task<base::Status> ResponseWriter::start_sized(int status, Headers headers, uint64_t length) {
  CO_TRY_VOID(check(State::kUnanswered));
  connection_.expects_continue_ = false;
  connection_.drop_body();
  sized_ = true;
  unsent_ = length;
  state_ = length == 0 || head_only_ ? State::kComplete : State::kStreaming;
  headers.remove("Transfer-Encoding");
  headers.set("Content-Length", base::concat(length));
  decide_connection(&headers);
  const std::string head = format_response_head(status, headers) + "\r\n";
  std::array parts = {part(head)};
  co_return co_await write_parts(parts);
}

base::Task<base::Status> ResponseWriter::write(std::string_view data) {
  CO_TRY_VOID(check(State::kStreaming));
  if (data.empty() || head_only_) co_return {};
  if (sized_ && data.size() > unsent_) co_return base::fail("More than Content-Length says");
  if (turns_.due()) co_await turns_.yield();
  const ChunkHead head(data.size());
  std::array parts = {part(head.text()), part(data), part("\r\n")};
  std::span<iovec> left = parts;
  if (!chunked()) left = left.subspan(1, 1);
  auto done = try_write(&left);
  if (!done) done = co_await write_parts(left);
  if (*done) count_sent(data.size());
  co_return *std::move(done);
}

base::Task<base::Status> ResponseWriter::write_chunks(std::string_view framed) {
  CO_TRY_VOID(check(State::kStreaming));
  if (head_only_) co_return {};
  if (!chunked()) {
    while (!framed.empty()) CO_TRY_VOID(co_await write(take_chunk(&framed)));
    co_return {};
  }
  if (turns_.due()) co_await turns_.yield();
  std::array parts = {part(framed)};
  std::span<iovec> left = parts;
  if (auto done = try_write(&left)) co_return *std::move(done);
  co_return co_await write_parts(left);
}

base::Task<base::Status> ResponseWriter::finish() {
  CO_TRY_VOID(check(State::kStreaming));
  if (sized_) co_return base::fail("Less than Content-Length says");
  state_ = State::kComplete;
  if (head_only_ || !chunked()) co_return {};
  std::array parts = {part(kLastChunk)};
  co_return co_await write_parts(parts);
}

base::Task<base::Status> ResponseWriter::relay(ClientResponse& source) {
  CO_TRY_VOID(check(State::kStreaming));
  MessageReader& reader = *source.reader_;
  const bool raw = chunked() && reader.chunked() && !reader.body_started();
  while (state_ == State::kStreaming && !head_only_) {
    ssize_t n = 0;
    {
      ScratchBuffer buffer;
      CO_TRY(n, raw ? reader.try_read_raw(buffer.span()) : reader.try_read_body(buffer.span()));
      if (n > 0) {
        const std::string_view bytes(buffer.span().data(), static_cast<size_t>(n));
        if (raw) {
          if (reader.complete()) state_ = State::kComplete;
          std::array parts = {part(bytes)};
          std::span<iovec> left = parts;
          auto done = try_write(&left);
          if (!done) done = co_await write_parts(left);
          CO_TRY_VOID(*std::move(done));
        } else {
          CO_TRY_VOID(co_await write(bytes));
        }
      }
    }
    if (n == 0) break;
    if (n == MessageReader::kWouldBlock) co_await reader.readable();
    if (turns_.due()) co_await turns_.yield();
  }
  if (state_ == State::kComplete) co_return {};
  co_return co_await finish();
}

std::optional<uid_t> ResponseWriter::local_user() const {
  // Over TCP the kernel knows nobody, and says so by this number.
  constexpr auto kNobody = static_cast<uid_t>(-1);
  ucred client{};
  socklen_t size = sizeof(client);
  const int failed = getsockopt(connection_.stream_.fd(), SOL_SOCKET, SO_PEERCRED, &client, &size);
  if (failed != 0 || client.uid == kNobody) return std::nullopt;
  return client.uid;
}

void ResponseWriter::keep_connection() {
  if (!connection_.kept_) connection_.kept_ = connection_.waiting_.keep_one();
}

base::Task<void> ResponseWriter::client_gone() {
  base::FdWatch& watch = connection_.stream_.watch();
  co_await watch.peer_closed();
  if (!half_closed_.is_set()) probe();
  if (!started() && minor_version_ == 0) co_return;
  co_await watch.peer_gone();
}

void ResponseWriter::probe() {
  // For who goes later: that is not told either, but a keepalive is answered with a reset as well.
  connection_.stream_.keep_alive(kProbeInterval);
  if (!started() && minor_version_ >= 1) connection_.send_continue();
  half_closed_.set();
}

void ResponseWriter::decide_connection(Headers* headers) {
  const bool client_keeps = !close_;
  close_ = close_ || says_close(*headers) || !connection_.reader_.complete();
  if (client_keeps && close_) headers->set("Connection", "close");
  if (client_keeps && !close_ && minor_version_ == 0) headers->set("Connection", "keep-alive");
}

void ResponseWriter::count_sent(size_t size) {
  if (!sized_) return;
  unsent_ -= size;
  if (unsent_ == 0) state_ = State::kComplete;
}

base::Status ResponseWriter::check(State wanted) const {
  if (writing_) return base::fail("A write of this response has failed, or was cancelled");
  if (state_ != wanted) {
    return base::fail(state_ == State::kUnanswered ? "The response was not started"
                                                   : "The response was sent already");
  }
  return {};
}

std::optional<base::Status> ResponseWriter::try_write(std::span<iovec>* parts) {
  if (!connection_.interim_.empty()) return std::nullopt;
  const auto n = connection_.stream_.try_write(*parts);
  if (!n) {
    writing_ = true;
    return base::fail(n.error());
  }
  auto written = static_cast<size_t>(std::max<ssize_t>(*n, 0));
  turns_.moved(written);
  while (!parts->empty() && written >= parts->front().iov_len) {
    written -= parts->front().iov_len;
    *parts = parts->subspan(1);
  }
  if (parts->empty()) return base::Status{};
  parts->front().iov_base = static_cast<char*>(parts->front().iov_base) + written;
  parts->front().iov_len -= written;
  return std::nullopt;
}

base::Task<base::Status> ResponseWriter::write_parts(std::span<iovec> parts) {
  writing_ = true;
  co_await connection_.flush_interim();
  auto status = co_await connection_.stream_.write_all(parts);
  writing_ = !status;
  co_return status;
}

}  // namespace http
