#include "bench/echo_floor.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/stream.h"
#include "bench/copy_floor.h"
#include "bench/http_client.h"
#include "bench/samples.h"

namespace bench {

using base::Fd;
using base::Result;

namespace {

// Whatever comes from `from` goes to `to`, once; false at the end.
bool pass(int from, int to) {
  char buffer[256];
  const ssize_t n = read(from, buffer, sizeof(buffer));
  return n > 0 && write_all(to, {buffer, static_cast<size_t>(n)});
}

int serve(int connection, int to_echo, int from_echo) {
  while (pass(connection, to_echo) && pass(from_echo, connection)) {
  }
  return 0;
}

int serve_terminal(int connection) {
  const Fd master(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!master || unlockpt(master.get()) < 0) return 1;
  const Fd slave(ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!slave) return 1;
  return serve(connection, master.get(), master.get());
}

int serve_pipe(int connection) {
  auto to_cat = base::make_pipe();
  auto from_cat = base::make_pipe();
  if (!to_cat || !from_cat) return 1;
  const auto cat = start_program({"/bin/cat"}, {{to_cat->read_end.get(), STDIN_FILENO},
                                                {from_cat->write_end.get(), STDOUT_FILENO}});
  if (!cat) return 1;
  const Child child(*cat);
  return serve(connection, to_cat->write_end.get(), from_cat->read_end.get());
}

}  // namespace

int run_echo_server(EchoKind kind) {
  const Fd connection(accept4(kFloorListenFd, nullptr, nullptr, SOCK_CLOEXEC));
  if (!connection) return 1;
  const int on = 1;
  setsockopt(connection.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return kind == EchoKind::kTerminal ? serve_terminal(connection.get())
                                     : serve_pipe(connection.get());
}

Result<EchoFloor> EchoFloor::start(const std::string& self, EchoKind kind) {
  TRY(Listener listener, listen_on_loopback());
  TRY(const pid_t pid,
      start_program({self, kind == EchoKind::kTerminal ? "echo-terminal" : "echo-pipe"},
                    {{listener.fd.get(), kFloorListenFd}}));
  Child server(pid);
  TRY(Fd connection, connect_to_loopback(listener.port));
  return EchoFloor(std::move(server), std::move(connection));
}

Result<double> EchoFloor::send_key() {
  const auto start = Clock::now();
  TRY_VOID(write_all(connection_.get(), "x"));
  char byte;
  if (read(connection_.get(), &byte, 1) != 1) return base::fail("The echo floor does not echo");
  return milliseconds_since(start);
}

}  // namespace bench
