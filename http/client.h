// The HTTP/1.1 client: one connection, one request at a time, bodies streaming both ways.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"
#include "base/stream.h"
#include "base/task.h"
#include "http/body.h"
#include "http/headers.h"
#include "http/turns.h"

namespace http {

class MessageReader;

// The head of a response, and its body to read. Uses the ClientConnection that gave it, which must
// outlive it (but may be moved).
class ClientResponse final : public BodyReader {
 public:
  int status = 0;
  std::string reason;
  Headers headers;

  base::Result<ssize_t> try_read(std::span<char> buffer) override;
  base::Task<void> readable() override;

  // Whether the body's end was read.
  bool complete() const;

 private:
  friend class ClientConnection;
  friend class ResponseWriter;
  explicit ClientResponse(MessageReader& reader) : reader_(&reader) {}

  MessageReader* reader_;
};

// How the body of a request is sent.
enum class BodyKind { kNone, kLength, kChunked };

// A request is send_head(), writes and finish(), or send(). Its response may be read at the same
// time, in another coroutine, and may come before the request has ended.
//
// Errors of kind kClosed mean that the server went away. When sending fails so, there may still be
// a response to read that says why.
class ClientConnection {
 public:
  // A connected socket, TCP or unix (base::connect_tcp, base::connect_unix).
  explicit ClientConnection(base::Fd fd);
  ClientConnection(ClientConnection&&) noexcept;
  ClientConnection& operator=(ClientConnection&&) noexcept;
  ~ClientConnection();

  // Sends the head at once. Host (localhost), Content-Length and Transfer-Encoding are added.
  // `length` is the number of bytes that follow, for kLength. After kNone the request is finished.
  base::Task<base::Status> send_head(std::string_view method, std::string_view target,
                                     Headers headers, BodyKind body, uint64_t length = 0);

  // Sends a piece of the body: exactly one chunk, or the bytes as they are for kLength. Empty data
  // sends nothing.
  base::Task<base::Status> write(std::string_view data);

  // Ends the body.
  base::Task<base::Status> finish();

  // A whole request; Content-Length is only left out if the body is empty and the method is GET or
  // HEAD.
  base::Task<base::Status> send(std::string_view method, std::string_view target, Headers headers,
                                std::string_view body = {});

  // After a whole request: says that no other one follows. The response still comes.
  void finish_sending();

  // Waits for the head of the final response; interim ones (1xx) are skipped. If it is cancelled
  // it may be called again. kClosed if the server closes before; kInvalid if what comes is not
  // HTTP. Once for each request.
  base::Task<base::Result<ClientResponse>> read_response();

  // Whether sending has failed (for who must know which side of a relay broke).
  bool send_failed() const { return send_state_ == SendState::kFailed; }

  // Whether another request can be sent: the last one and its response are complete, and the server
  // keeps the connection.
  bool reusable() const;

  // Waits until the server has closed its sending side or the whole connection.
  base::Task<void> server_closed();

 private:
  enum class SendState { kIdle, kChunked, kLength, kWriting, kFailed };

  base::Task<base::Status> begin(std::string_view method, std::string_view target, Headers headers,
                                 BodyKind kind, uint64_t length, std::string_view body);
  base::Task<base::Status> send_request(std::string head, BodyKind kind, uint64_t length,
                                        std::string_view body, bool head_only);
  base::Task<base::Status> send_parts(std::span<iovec> parts, SendState then);

  std::unique_ptr<base::Stream> stream_;
  std::unique_ptr<MessageReader> reader_;
  SendState send_state_ = SendState::kIdle;
  uint64_t length_left_ = 0;
  bool used_ = false;            // for a request before
  bool head_only_ = false;       // the last request was a HEAD
  bool response_given_ = false;  // to the last request
  bool keep_alive_ = true;
  Turns turns_;
};

// Passes what is left of `from` on to `to`, one piece at a time as `to` takes it, and finishes
// `to`. If it fails, to.send_failed() tells whether `to` did not take it; otherwise the error is
// that of `from`, and the request on `to` is left unfinished.
base::Task<base::Status> relay_body(BodyReader& from, ClientConnection& to);

}  // namespace http
