#include "http/server.h"

#include <fcntl.h>
#include <poll.h>

#include <cerrno>
#include <chrono>
#include <utility>

#include "base/combine.h"
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

bool somebody_comes(int listen_fd) {
  pollfd listening{listen_fd, POLLIN, 0};
  return poll(&listening, 1, 0) > 0;
}

base::Task<void> wait_for(base::Event& event) { co_await event.wait(); }
base::Task<void> wait_readable(base::FdWatch& watch) { co_await watch.readable(); }

}  // namespace

Server::Server(Handler handler, Limits limits)
    : handler_(std::move(handler)), limits_(limits), waiting_(limits.connections / 2) {}

base::Task<base::Status> Server::serve(base::Fd listen_fd, const Greeting* greeting) {
  fcntl(listen_fd.get(), F_SETFL, fcntl(listen_fd.get(), F_GETFL) | O_NONBLOCK);
  base::FdWatch watch(listen_fd.get(), base::FdWatch::kRead);
  base::Scope scope;
  int accepted = 0;
  while (true) {
    if (connections_ >= limits_.connections) co_await make_room(listen_fd.get(), watch);
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

base::Task<void> Server::make_room(int listen_fd, base::FdWatch& watch) {
  bool given_up = false;
  while (connections_ >= limits_.connections) {
    connection_ended_.clear();
    waiting_.added().clear();
    if (given_up) {
      co_await connection_ended_.wait();
      given_up = false;
    } else if (!somebody_comes(listen_fd)) {
      co_await base::any_of(wait_for(connection_ended_), wait_readable(watch));
    } else if (waiting_.give_up_first()) {
      given_up = true;
    } else {
      co_await base::any_of(wait_for(connection_ended_), wait_for(waiting_.added()));
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
  ServerConnection connection(std::move(fd), handler_, limits_, waiting_);
  co_await connection.run(greeting);
}

}  // namespace http
