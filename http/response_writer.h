// How a handler answers.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/sync.h"
#include "base/task.h"
#include "http/message.h"
#include "http/turns.h"

namespace http {

class ClientResponse;
class ServerConnection;

// Either send(), or start_stream(), any number of writes and finish() or relay(), or start_sized()
// and writes of so many bytes in all. Everything
// returns when the kernel has taken the bytes: a client that does not read blocks the writer. An
// error of kind kClosed means that the client is gone; there is no point in writing on. One writer
// at a time. A write that was cancelled half-way breaks the response: everything later fails, and
// the connection is closed.
class ResponseWriter {
 public:
  ResponseWriter(ServerConnection& connection, const Request& request);
  ResponseWriter(const ResponseWriter&) = delete;
  ResponseWriter& operator=(const ResponseWriter&) = delete;

  // The whole response, compressed with gzip if the client accepts that and the body has 1,024
  // bytes or more and no Content-Encoding. An empty body is sent as Content-Length: 0 without
  // Content-Type. From here on the client's disconnecting does not cancel the handler any more.
  // What the handler has not read of the request's body is dropped; if it has not all arrived, the
  // response says Connection: close and the connection ends with it.
  base::Task<base::Status> send(Response response);

  // Sends the head of a chunked response at once (to a client of HTTP/1.0: one that ends with the
  // connection).
  base::Task<base::Status> start_stream(int status, Headers headers);

  // Sends the head of a response whose body, `length` bytes of it, follows in writes; the last of
  // them completes it. A handler that returns before makes the client see a broken response. To a
  // HEAD, and if `length` is 0, the response is complete at once.
  base::Task<base::Status> start_sized(int status, Headers headers, uint64_t length);

  // Sends the data as exactly one chunk, with one system call if the kernel takes it. Empty data
  // sends nothing.
  base::Task<base::Status> write(std::string_view data);

  // Sends bytes that already are whole chunks (append_chunk in http/chunk.h), so that what goes to
  // many clients is framed once. Without the last chunk.
  base::Task<base::Status> write_chunks(std::string_view framed);

  // Ends the stream with the last chunk. A handler that returns without it makes the client see a
  // broken stream: the connection is closed without the last chunk.
  base::Task<base::Status> finish();

  // After start_stream: passes on the whole body of `source`, and with it ends the stream. If the
  // source is chunked, its bytes go out unchanged, framing included, through buffers that are only
  // held while there is something in them. If the source ends before its last chunk or breaks:
  // kClosed or kInvalid, and the client gets no last chunk either.
  base::Task<base::Status> relay(ClientResponse& source);

  // Has the client's connection kept however long it is silent, also when there are as many as
  // there may be (Limits::connections): for clients that take its end for the end of more than
  // that. An answer that cannot be delivered does not end it either, as long as more requests have
  // arrived.
  void keep_connection();

  // Waits until the client has gone. Once the request's body was received the server cancels the
  // handler then, so this is for handlers that are blocked on something else in the middle of a
  // body.
  //
  // A client that closes its sending side may have gone, or wait for the answer: its TCP does not
  // tell, but answers with a reset whatever is sent to who has gone. Before the response has begun,
  // that is a "100 Continue", which means nothing to anybody. A stream should send something that
  // means as little, if it can, when half_closed() is set; else it is known at the next write. A
  // client of HTTP/1.0 knows no "100 Continue" and counts as gone.
  base::Task<void> client_gone();

  // Set when the client has closed its sending side, and may have gone.
  base::Event& half_closed() { return half_closed_; }

  // As whom the client runs that has made this connection, if it is one of a unix socket.
  std::optional<uid_t> local_user() const;

  // Whether something was sent: it is too late for another status.
  bool started() const { return state_ != State::kUnanswered; }
  // Whether all of the response was handed over (it may still be on its way to the kernel).
  bool complete() const { return state_ == State::kComplete; }

 private:
  friend class ServerConnection;
  enum class State { kUnanswered, kStreaming, kComplete };

  base::Status check(State wanted) const;
  bool chunked() const { return minor_version_ >= 1 && !sized_; }

  // Decides whether the connection goes on after the response, and says so where it must.
  void decide_connection(Headers* headers);
  // Counts what a response of start_sized() has sent.
  void count_sent(size_t size);

  // Writes what the kernel takes now and takes it off `parts`. Nothing if some is left.
  std::optional<base::Status> try_write(std::span<iovec>* parts);
  base::Task<base::Status> write_parts(std::span<iovec> parts);

  // Whether another response can follow on the connection.
  bool intact() const { return complete() && !writing_ && !close_; }
  // Whether a whole response was given, which the client does not take.
  bool undelivered() const { return complete() && writing_ && !close_; }

  void probe();

  ServerConnection& connection_;
  const bool head_only_;     // the request is a HEAD
  const int minor_version_;  // of the client
  const bool gzip_accepted_;
  State state_ = State::kUnanswered;
  bool sized_ = false;    // by start_sized()
  uint64_t unsent_ = 0;   // of its body
  bool writing_ = false;  // stays true if a write fails or is cancelled
  bool close_;            // the connection ends with this response
  base::Event half_closed_;
  Turns turns_;
};

}  // namespace http
