#include "ioswitchboard/client.h"

#include <fcntl.h>

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "base/combine.h"
#include "base/fd.h"
#include "base/stream.h"
#include "base/strings.h"

namespace ioswitchboard {

namespace {

constexpr size_t kPiece = 64 * 1024;

// Of a response that is no stream.
constexpr size_t kMaxBody = 64 * 1024;

constexpr std::chrono::milliseconds kClientGoneGrace{20};

std::unexpected<base::Error> shut_down() {
  return base::fail(base::ErrorKind::kClosed, "I/O switchboard has shutdown");
}

// What the response's own headers say about the content.
http::Headers content_fields(const http::Headers& headers) {
  http::Headers content;
  for (const char* name : {"Content-Type", "Message-Content-Type"}) {
    if (const std::string* value = headers.find(name)) content.set(name, *value);
  }
  return content;
}

base::Task<base::Result<http::Response>> read_whole(http::ClientResponse& response) {
  CO_TRY(std::string body, co_await http::read_all(response, kMaxBody));
  co_return http::Response{response.status, content_fields(response.headers), std::move(body)};
}

base::Task<base::Result<http::Response>> read_answer(http::ClientConnection& connection) {
  auto response = co_await connection.read_response();
  // It exits when it has answered everybody; so whoever gets no answer was too late for one.
  if (!response) co_return shut_down();
  auto whole = co_await read_whole(*response);
  if (!whole) co_return shut_down();
  co_return whole;
}

// Ends when the client has gone and its last piece could not be sent on in a moment either.
base::Task<void> client_gone(http::ResponseWriter& client) {
  co_await client.client_gone();
  co_await base::sleep_for(kClientGoneGrace);
}

// The client may have gone: the switchboard is asked for something to send it, by which that is
// found out.
base::Task<void> hand_on_half_close(http::ClientConnection& connection,
                                    http::ResponseWriter& client) {
  co_await client.half_closed().wait();
  connection.finish_sending();
  co_await std::suspend_always{};
}

base::Task<base::Status> write_piece(http::ClientConnection& connection, std::string_view piece,
                                     http::ResponseWriter& client) {
  auto result = co_await base::any_of(connection.write(piece), client_gone(client));
  if (result.index() == 0) co_return std::get<0>(std::move(result));
  co_return base::fail(base::ErrorKind::kClosed, "The client has disconnected");
}

// Sends the request's body. Not http::relay_body: while the container takes nothing, nobody would
// notice that the client has gone.
base::Task<base::Status> send_input(http::ClientConnection& connection, std::string_view read_ahead,
                                    http::BodyReader& body, http::ResponseWriter& client) {
  CO_TRY_VOID(co_await write_piece(connection, read_ahead, client));
  while (true) {
    ssize_t n = 0;
    {
      const auto piece = std::make_unique_for_overwrite<char[]>(kPiece);
      CO_TRY(n, body.try_read({piece.get(), kPiece}));
      if (n > 0) {
        CO_TRY_VOID(
            co_await write_piece(connection, {piece.get(), static_cast<size_t>(n)}, client));
      }
    }
    if (n == 0) co_return co_await connection.finish();
    if (n == http::BodyReader::kWouldBlock) co_await body.readable();
  }
}

}  // namespace

base::Task<base::Result<http::ClientConnection>> connect_switchboard(std::string directory) {
  // A socket's path has at most 107 bytes, so it is reached by way of the directory's descriptor.
  const base::Fd fd(open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd && errno == ENOENT) co_return shut_down();
  if (!fd) co_return base::fail_errno(base::concat("open '", directory, "'"));
  auto connected =
      co_await base::connect_unix(base::concat("/proc/self/fd/", fd.get(), "/", kSocketName));
  if (connected) co_return http::ClientConnection(*std::move(connected));
  const int code = connected.error().code;
  if (code == ENOENT || code == ECONNREFUSED) co_return shut_down();
  co_return base::fail(std::move(connected).error());
}

base::Task<base::Result<Attached>> attach_output(std::string directory, OutputForm form,
                                                 bool replay) {
  CO_TRY(http::ClientConnection connection, co_await connect_switchboard(directory));
  const std::string target =
      replay ? base::concat(kOutputPath, "?", kReplayParameter, "=true") : std::string(kOutputPath);
  // If it cannot be sent there is no answer either.
  [[maybe_unused]] const auto sent = co_await connection.send("POST", target, accept_headers(form));
  auto response = co_await connection.read_response();
  if (!response) co_return shut_down();
  co_return Attached{std::move(connection), *std::move(response)};
}

base::Task<base::Status> pass_on(Attached& attached, http::ResponseWriter& writer) {
  http::ClientResponse& response = attached.response;
  if (response.status != 200) {
    CO_TRY(http::Response whole, co_await read_whole(response));
    co_return co_await writer.send(std::move(whole));
  }
  CO_TRY_VOID(co_await writer.start_stream(200, content_fields(response.headers)));
  auto relayed = co_await base::any_of(writer.relay(response),
                                       hand_on_half_close(attached.connection, writer));
  co_return std::get<0>(std::move(relayed));
}

base::Task<base::Result<http::Response>> attach_input(std::string directory, Encoding encoding,
                                                      std::string_view read_ahead,
                                                      http::BodyReader& body,
                                                      http::ResponseWriter& client) {
  CO_TRY(http::ClientConnection connection, co_await connect_switchboard(directory));
  const http::Headers headers{{"Content-Type", std::string(kRecordIoType)},
                              {"Message-Content-Type", std::string(media_type(encoding))}};
  if (co_await connection.send_head("POST", kInputPath, headers, http::BodyKind::kChunked)) {
    auto first = co_await base::any_of(read_answer(connection),
                                       send_input(connection, read_ahead, body, client));
    if (first.index() == 0) co_return std::get<0>(std::move(first));
    base::Status& sent = std::get<1>(first);
    // The switchboard may have answered and taken no more, or be gone. Otherwise it was the client.
    if (!sent && !connection.send_failed()) co_return base::fail(std::move(sent).error());
  }
  co_return co_await read_answer(connection);
}

}  // namespace ioswitchboard
