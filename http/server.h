// The HTTP/1.1 server.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

#include "base/fd.h"
#include "base/fd_watch.h"
#include "base/result.h"
#include "base/stream.h"
#include "base/sync.h"
#include "base/task.h"
#include "http/message.h"
#include "http/response_writer.h"
#include "http/waiting_clients.h"

namespace http {

// Answers one request; see ResponseWriter. Both references are valid until the task ends.
//
// If the client disconnects after its request was received and before the response is complete, the
// task is destroyed; a client that has closed only its sending side still gets the response (see
// ResponseWriter::client_gone). If the request's body is not complete, its reader reports the end
// instead, after what had arrived.
// A handler that returns without answering makes a 500 (or a 400, if the request's body was bad).
using Handler = std::function<base::Task<void>(Request&, ResponseWriter&)>;

// What a connection goes through before its first request: TLS (http/tls.h). It may put a layer on
// the stream. After an error of kind kInvalid the client is answered 400, after any other the
// connection just ends. Must outlive the connections.
using Greeting = std::function<base::Task<base::Status>(base::Stream&)>;

struct Limits {
  // Request line and fields together; more is answered 431. The parser's own bound is 80 KiB.
  size_t head_bytes = 80 * 1024;
  size_t header_count = 256;

  // From the first byte of a request to the end of its head. A connection may be idle, also before
  // its first request (executors connect long before they have something to report), and a handler
  // busy, for ever, as long as there is room for others.
  std::chrono::nanoseconds head_timeout = std::chrono::seconds(60);

  // From accepting a connection to the end of its greeting, if there is one.
  std::chrono::nanoseconds greeting_timeout = std::chrono::seconds(15);

  // Who comes when there are so many takes the place of the client that has been waited for longest
  // (WaitingClients). If all are being served, it waits in the listen queue until one has been.
  // At most half of them are kept (ResponseWriter::keep_connection).
  size_t connections = 8192;

  // What is read and dropped after a response that was sent before the request had arrived, so
  // that the client gets to read the response instead of a reset.
  size_t drain_bytes = 1024 * 1024;
  std::chrono::nanoseconds drain_idle = std::chrono::seconds(2);    // since the last byte
  std::chrono::nanoseconds drain_total = std::chrono::seconds(30);  // in all
};

// Serves any number of listening sockets.
class Server {
 public:
  explicit Server(Handler handler, Limits limits = {});
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Accepts and serves until cancelled, which cancels all its connections. Ends by itself only if
  // the descriptor is not a listening socket. When descriptors run out it waits and tries again.
  base::Task<base::Status> serve(base::Fd listen_fd, const Greeting* greeting = nullptr);

  // Serves one connected socket until it is closed.
  base::Task<void> serve_connection(base::Fd fd, const Greeting* greeting = nullptr);

  // Connections that are open now.
  size_t connections() const { return connections_; }

 private:
  // Waits until there may be another connection.
  base::Task<void> make_room(int listen_fd, base::FdWatch& watch);

  Handler handler_;
  Limits limits_;
  size_t connections_ = 0;
  WaitingClients waiting_;
  base::Event connection_ended_;
};

}  // namespace http
