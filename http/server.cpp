#include "http/server.h"

#include <fcntl.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/combine.h"
#include "base/fd_watch.h"
#include "base/scope.h"
#include "base/stream.h"
#include "http/server_connection.h"

namespace http {

namespace {

// Connections accepted in a row before those that are open have their turn.
constexpr int kAcceptsPerTurn = 64;

// How long to leave a listening socket alone when there are no descriptors, or no memory, for
// another connection.
constexpr auto kAcceptPause = std::chrono::milliseconds(100);

bool cannot_listen(int code) {
  return code == EBADF || code == EINVAL || code == ENOTSOCK || code == EOPNOTSUPP;
}

}  // namespace

Server::Server(Handler handler, Limits limits) : handler_(std::move(handler)), limits_(limits) {}

base::Task<base::Status> Server::serve(base::Fd listen_fd, const Greeting* greeting) {
  fcntl(listen_fd.get(), F_SETFL, fcntl(listen_fd.get(), F_GETFL) | O_NONBLOCK);
  base::FdWatch watch(listen_fd.get(), base::FdWatch::kRead);
  base::Scope scope;
  int accepted = 0;
  while (true) {
    while (connections_ >= limits_.connections) {
      connection_ended_.clear();
      co_await connection_ended_.wait();
    }
    auto fd = co_await base::accept_one(listen_fd.get(), watch);
    if (fd) {
      scope.spawn(serve_connection(*std::move(fd), greeting));
      if (++accepted % kAcceptsPerTurn == 0) co_await base::next_turn();
    } else if (cannot_listen(fd.error().code)) {
      co_return base::fail(std::move(fd).error());
    } else {
      co_await base::sleep_for(kAcceptPause);
    }
  }
}

base::Task<void> Server::serve_connection(base::Fd fd, const Greeting* greeting) {
  struct Counted {
    explicit Counted(Server& s) : server(s) { ++server.connections_; }
    ~Counted() {
      --server.connections_;
      server.connection_ended_.set();
    }
    Server& server;
  } counted(*this);
  ServerConnection connection(std::move(fd), handler_, limits_);
  co_await connection.run(greeting);
}

}  // namespace http
