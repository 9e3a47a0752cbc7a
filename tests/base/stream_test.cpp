#include "base/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <memory>
#include <numeric>

#include "base/scope.h"
#include "base/strings.h"
#include "tests/base/loop_test.h"
#include "tests/scratch.h"

namespace {

using base::ErrorKind;
using base::Fd;
using base::FdWatch;
using base::Result;
using base::Status;
using base::Stream;
using base::Task;
using tests::Log;
using namespace std::chrono_literals;

struct Streams {
  Stream ours;
  Stream theirs;
};

// Something long in which a lost, doubled or exchanged piece shows.
std::string pattern(size_t size) {
  std::string text(size, '\0');
  uint32_t state = 12345;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

class StreamTest : public tests::LoopTest {
 protected:
  Streams unix_pair() {
    int fds[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return {Stream(Fd(fds[0])), Stream(Fd(fds[1]))};
  }

  Streams tcp_pair() {
    auto body = []() -> Task<Streams> {
      auto listening = base::listen_tcp("127.0.0.1", 0, 5);
      FdWatch watch(listening->get(), FdWatch::kRead);
      auto [client, server] =
          co_await base::all_of(base::connect_tcp("127.0.0.1", *base::local_port(listening->get())),
                                base::accept_one(listening->get(), watch));
      co_return Streams{Stream(*std::move(client)), Stream(*std::move(server))};
    };
    return run(body());
  }

  // The reading end first.
  Streams pipe_pair() {
    auto pipe = base::make_pipe();
    return {Stream(std::move(pipe->read_end), FdWatch::kRead),
            Stream(std::move(pipe->write_end), FdWatch::kWrite)};
  }

  static Task<Result<std::string>> read_all(Stream& stream, size_t buffer_size = 65536,
                                            size_t limit = SIZE_MAX) {
    std::string all;
    std::vector<char> buffer(buffer_size);
    while (all.size() < limit) {
      CO_TRY(const size_t n, co_await stream.read_some(buffer));
      if (n == 0) break;
      all.append(buffer.data(), n);
    }
    co_return all;
  }

  static Task<void> write_and_shut(Stream& stream, std::string text) {
    EXPECT_TRUE(co_await stream.write_all(text));
    stream.shutdown_write();
  }
};

TEST_F(StreamTest, reads_what_there_is) {
  auto [ours, theirs] = unix_pair();
  auto body = [&](Stream& a, Stream& b) -> Task<void> {
    char buffer[100];
    EXPECT_EQ(a.try_read(buffer), Stream::kWouldBlock);
    EXPECT_TRUE(co_await b.write_all("hello"));
    EXPECT_EQ(co_await a.read_some(std::span(buffer, 2)), 2u);
    EXPECT_EQ(std::string_view(buffer, 2), "he");
    EXPECT_EQ(co_await a.read_some(buffer), 3u);
    EXPECT_EQ(std::string_view(buffer, 3), "llo");
    EXPECT_EQ(a.try_read(buffer), Stream::kWouldBlock);
    b.shutdown_write();
    EXPECT_EQ(co_await a.read_some(buffer), 0u);
    EXPECT_EQ(co_await a.read_some(buffer), 0u);
    // The other direction is open.
    EXPECT_TRUE(co_await a.write_all("x"));
    EXPECT_EQ(co_await b.read_some(buffer), 1u);
  };
  run(body(ours, theirs));
}

TEST_F(StreamTest, writes_parts_as_one) {
  auto [ours, theirs] = unix_pair();
  std::string a = "one", b, c = " two", d = " three";
  std::array<iovec, 4> parts = {
      {{a.data(), a.size()}, {b.data(), b.size()}, {c.data(), c.size()}, {d.data(), d.size()}}};
  auto body = [&](Stream& stream) -> Task<void> {
    EXPECT_TRUE(co_await stream.write_all(parts));
    EXPECT_TRUE(co_await stream.write_all(std::span<iovec>()));
    EXPECT_TRUE(co_await stream.write_all(""));
  };
  run(body(ours));
  EXPECT_EQ(*run(read_all(theirs, 100, 13)), "one two three");
}

TEST_F(StreamTest, writes_any_number_and_size_of_parts) {
  // More parts than one call takes (IOV_MAX), more bytes than the socket, empty ones among them.
  auto [ours, theirs] = unix_pair();
  std::string text = pattern(3'000'000);
  std::vector<iovec> parts;
  size_t at = 0;
  for (size_t i = 0; at < text.size(); ++i) {
    const size_t size = std::min(text.size() - at, i % 7 == 0 ? 0 : i % 1500);
    parts.push_back({text.data() + at, size});
    at += size;
  }
  EXPECT_GT(parts.size(), 3000u);
  auto write = [&](Stream& stream) -> Task<void> {
    EXPECT_TRUE(co_await stream.write_all(parts));
    stream.shutdown_write();
  };
  base::Scope scope;
  scope.spawn(write(ours));
  EXPECT_TRUE(*run(read_all(theirs, 10'000)) == text);
  EXPECT_EQ(scope.size(), 0u);
}

TEST_F(StreamTest, moves_much_both_ways_at_once) {
  const std::string there = pattern(8'000'000);
  const std::string back = pattern(5'000'000);
  for (bool tcp : {false, true}) {
    auto [ours, theirs] = tcp ? tcp_pair() : unix_pair();
    base::Scope scope;
    scope.spawn(write_and_shut(ours, there));
    scope.spawn(write_and_shut(theirs, back));
    auto both = [&](Stream& a, Stream& b) -> Task<void> {
      auto [at_b, at_a] = co_await base::all_of(read_all(b, 100'000), read_all(a, 4096));
      EXPECT_TRUE(*at_b == there);
      EXPECT_TRUE(*at_a == back);
    };
    run(both(ours, theirs));
    EXPECT_EQ(scope.size(), 0u);
  }
}

TEST_F(StreamTest, waits_for_a_slow_reader) {
  auto [reader, writer] = pipe_pair();
  const std::string text = pattern(300'000);
  bool written = false;
  auto write = [&](Stream& stream) -> Task<void> {
    EXPECT_TRUE(co_await stream.write_all(text));
    written = true;
  };
  base::Scope scope;
  scope.spawn(write(writer));
  settle();
  EXPECT_FALSE(written);  // a pipe takes 64 KiB
  EXPECT_TRUE(*run(read_all(reader, 1000, text.size())) == text);
  settle();
  EXPECT_TRUE(written);
}

TEST_F(StreamTest, says_that_the_peer_is_gone) {
  auto fails_closed = [&](Stream& stream) -> Task<void> {
    Status status;
    while (status) status = co_await stream.write_all("hello");
    EXPECT_EQ(status.error().kind, ErrorKind::kClosed) << status.error().message;
  };
  for (int what = 0; what < 3; ++what) {
    auto [ours, theirs] = what == 0 ? unix_pair() : what == 1 ? tcp_pair() : pipe_pair();
    if (what == 2) std::swap(ours, theirs);
    {
      Stream closed = std::move(theirs);
    }
    run(fails_closed(ours));
  }
}

TEST_F(StreamTest, says_so_to_a_writer_that_waits) {
  for (bool pipe : {false, true}) {
    auto [theirs, ours] = pipe ? pipe_pair() : unix_pair();
    auto write = [](Stream& stream) -> Task<void> {
      const std::string text(10'000'000, 'x');
      auto status = co_await stream.write_all(text);
      EXPECT_FALSE(status);
      if (!status) EXPECT_EQ(status.error().kind, ErrorKind::kClosed);
    };
    base::Scope scope;
    scope.spawn(write(ours));
    settle();
    EXPECT_EQ(scope.size(), 1u);
    {
      Stream closed = std::move(theirs);
    }
    run(scope.join());
  }
}

TEST_F(StreamTest, says_that_the_connection_was_reset) {
  auto [ours, theirs] = tcp_pair();
  const linger now{1, 0};
  setsockopt(theirs.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  auto read = [](Stream& stream) -> Task<void> {
    char buffer[10];
    auto n = co_await stream.read_some(buffer);
    EXPECT_FALSE(n);
    if (!n) EXPECT_EQ(n.error().kind, ErrorKind::kClosed);
  };
  base::Scope scope;
  scope.spawn(read(ours));
  settle();
  {
    Stream closed = std::move(theirs);
  }
  run(scope.join());
}

TEST_F(StreamTest, reports_errors_that_are_none_of_the_peers) {
  Stream directory(Fd(open("/proc/self/exe", O_PATH | O_CLOEXEC)));
  auto read = [](Stream& stream) -> Task<void> {
    char buffer[10];
    auto n = co_await stream.read_some(buffer);
    EXPECT_FALSE(n);
    EXPECT_EQ(n.error().code, EBADF);
    EXPECT_EQ(n.error().kind, ErrorKind::kInternal);
    auto status = co_await stream.write_all("x");
    EXPECT_EQ(status.error().code, EBADF);
  };
  run(read(directory));
}

TEST_F(StreamTest, reads_a_regular_file) {
  testing::internal::CaptureStderr();  // libevent warns
  Stream file(Fd(open("/proc/self/exe", O_RDONLY | O_CLOEXEC)));
  testing::internal::GetCapturedStderr();
  auto content = run(read_all(file));
  ASSERT_TRUE(content);
  EXPECT_EQ(content->size(), std::filesystem::file_size("/proc/self/exe"));
}

TEST_F(StreamTest, takes_the_end_of_a_pty_for_an_end) {
  int master, slave;
  ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  Stream stream{Fd(master)};
  Fd terminal(slave);
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(::write(terminal.get(), "bye", 3), 3);
    terminal.reset();
    auto all = co_await read_all(stream);
    EXPECT_EQ(all, "bye");
  };
  run(body());
}

TEST_F(StreamTest, takes_the_end_of_a_pty_for_an_end_while_it_waits) {
  int master, slave;
  ASSERT_EQ(openpty(&master, &slave, nullptr, nullptr, nullptr), 0);
  Stream stream{Fd(master)};
  Fd terminal(slave);
  Result<std::string> all;
  auto read = [&]() -> Task<void> { all = co_await read_all(stream); };
  base::Scope scope;
  scope.spawn(read());
  settle();
  EXPECT_EQ(::write(terminal.get(), "bye", 3), 3);
  terminal.reset();
  run(scope.join());
  EXPECT_EQ(all, "bye");
}

TEST_F(StreamTest, does_not_starve_the_others) {
  // Two that are never made to wait: one side reads zeros, the other throws them away.
  testing::internal::CaptureStderr();
  Stream zeros(Fd(open("/dev/zero", O_RDONLY | O_CLOEXEC)));
  Stream null(Fd(open("/dev/null", O_WRONLY | O_CLOEXEC)));
  testing::internal::GetCapturedStderr();
  uint64_t moved = 0;
  auto pump = [&]() -> Task<void> {
    std::vector<char> buffer(65536);
    while (true) {
      auto n = co_await zeros.read_some(buffer);
      EXPECT_EQ(n, buffer.size());
      EXPECT_TRUE(co_await null.write_all(std::string_view(buffer.data(), *n)));
      moved += *n;
    }
  };
  auto only_write = [&]() -> Task<void> {
    while (true) (void)co_await null.write_all("x");
  };
  base::Scope scope;
  scope.spawn(pump());
  scope.spawn(only_write());
  run(base::sleep_task(20ms));
  EXPECT_GT(moved, 0u);
}

TEST_F(StreamTest, has_read_nothing_when_cancelled) {
  auto [ours, theirs] = unix_pair();
  char buffer[10];
  auto read = [&](Stream& stream) -> Task<void> {
    (void)co_await stream.read_some(buffer);
    ADD_FAILURE();
  };
  base::Scope scope;
  for (int i = 0; i < 40; ++i) {  // often enough to be in a pause for fairness, too
    scope.spawn(read(ours));
    EXPECT_EQ(scope.size(), 1u);
    settle();
    EXPECT_EQ(::write(theirs.fd(), "x", 1), 1);
    scope.cancel();
    EXPECT_EQ(ours.try_read(buffer), 1);
  }
}

TEST_F(StreamTest, is_cancelled_amid_a_transfer) {
  auto [ours, theirs] = tcp_pair();
  const std::string text = pattern(50'000'000);
  base::Scope writer;
  writer.spawn(write_and_shut(ours, text));
  auto some = run(read_all(theirs, 65536, 5'000'000));
  writer.cancel();
  ours.shutdown_write();
  auto rest = run(read_all(theirs));
  const std::string all = *some + *rest;
  EXPECT_LT(all.size(), text.size());
  EXPECT_TRUE(text.starts_with(all));
}

TEST_F(StreamTest, can_be_moved) {
  auto [ours, theirs] = unix_pair();
  Stream moved = std::move(ours);
  EXPECT_EQ(::write(theirs.fd(), "x", 1), 1);
  EXPECT_EQ(*run(read_all(moved, 10, 1)), "x");

  auto [other, far] = unix_pair();
  const int old_fd = moved.fd();
  Fd copy(dup(old_fd));  // keeps the open file, so a registration left behind would show
  moved = std::move(other);
  EXPECT_EQ(fcntl(old_fd, F_GETFD), -1);
  EXPECT_EQ(::write(theirs.fd(), "y", 1), 1);
  EXPECT_EQ(::write(far.fd(), "z", 1), 1);
  EXPECT_EQ(*run(read_all(moved, 10, 1)), "z");
}

TEST_F(StreamTest, gives_its_descriptor_up) {
  auto [ours, theirs] = unix_pair();
  const int number = ours.fd();
  Fd fd = std::move(ours).release();
  EXPECT_EQ(fd.get(), number);
  EXPECT_TRUE(fcntl(fd.get(), F_GETFL) & O_NONBLOCK);
  Stream again(std::move(fd));
  EXPECT_EQ(::write(theirs.fd(), "x", 1), 1);
  EXPECT_EQ(*run(read_all(again, 10, 1)), "x");
}

class SocketTest : public StreamTest {
 protected:
  const tests::ScratchDirectory scratch_;
};

bool is_close_on_exec(const Fd& fd) { return fcntl(fd.get(), F_GETFD) & FD_CLOEXEC; }
bool is_nonblocking(const Fd& fd) { return fcntl(fd.get(), F_GETFL) & O_NONBLOCK; }

TEST_F(SocketTest, makes_a_pipe) {
  auto pipe = base::make_pipe();
  ASSERT_TRUE(pipe);
  EXPECT_TRUE(is_close_on_exec(pipe->read_end));
  EXPECT_TRUE(is_close_on_exec(pipe->write_end));
  EXPECT_EQ(::write(pipe->write_end.get(), "x", 1), 1);
}

TEST_F(SocketTest, connects_over_tcp) {
  for (const char* ip : {"127.0.0.1", "::1"}) {
    auto listening = base::listen_tcp(ip, 0, 5);
    if (!listening && listening.error().code == EADDRNOTAVAIL) continue;  // a host without IPv6
    ASSERT_TRUE(listening) << listening.error().message;
    EXPECT_TRUE(is_nonblocking(*listening));
    const uint16_t port = *base::local_port(listening->get());
    EXPECT_GT(port, 0);
    EXPECT_FALSE(base::listen_tcp(ip, port, 5));  // taken
    FdWatch watch(listening->get(), FdWatch::kRead);
    auto body = [&]() -> Task<void> {
      auto [client, server] = co_await base::all_of(base::connect_tcp(ip, port),
                                                    base::accept_one(listening->get(), watch));
      EXPECT_TRUE(client && server);
      for (const Fd* fd : {&*client, &*server}) {
        EXPECT_TRUE(is_close_on_exec(*fd));
        EXPECT_TRUE(is_nonblocking(*fd));
        int on = 0;
        socklen_t size = sizeof(on);
        getsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, &size);
        EXPECT_NE(on, 0);
      }
    };
    run(body());
  }
}

TEST_F(SocketTest, accepts_one_after_the_other) {
  const std::string path = scratch_ / "socket";
  auto listening = base::listen_unix(path, 50);
  ASSERT_TRUE(listening) << listening.error().message;
  FdWatch watch(listening->get(), FdWatch::kRead);
  int accepted = 0;
  auto serve = [&]() -> Task<void> {
    while (true) {
      auto fd = co_await base::accept_one(listening->get(), watch);
      EXPECT_TRUE(fd);
      ++accepted;
    }
  };
  base::Scope scope;
  scope.spawn(serve());
  auto clients = [&]() -> Task<void> {
    for (int i = 0; i < 20; ++i) {
      // Several with one edge, and single ones.
      auto [a, b] = co_await base::all_of(base::connect_unix(path), base::connect_unix(path));
      EXPECT_TRUE(a && b);
      EXPECT_TRUE(co_await base::connect_unix(path));
      if (i % 3 == 0) co_await base::next_turn();
    }
  };
  run(clients());
  settle();
  EXPECT_EQ(accepted, 60);
}

TEST_F(SocketTest, waits_for_room_in_the_queue_of_a_unix_server) {
  const std::string path = scratch_ / "socket";
  auto listening = base::listen_unix(path, 0);
  ASSERT_TRUE(listening);
  std::vector<Fd> connected;
  int failed = 0;
  auto connect = [&]() -> Task<void> {
    auto fd = co_await base::connect_unix(path);
    if (fd) {
      connected.push_back(*std::move(fd));
    } else {
      ++failed;
    }
  };
  base::Scope scope;
  for (int i = 0; i < 5; ++i) scope.spawn(connect());
  settle();
  EXPECT_LT(connected.size(), 5u);
  FdWatch watch(listening->get(), FdWatch::kRead);
  std::vector<Fd> accepted;
  auto accept = [&]() -> Task<void> {
    for (int i = 0; i < 5; ++i) {
      auto fd = co_await base::accept_one(listening->get(), watch);
      EXPECT_TRUE(fd);
      accepted.push_back(*std::move(fd));
    }
  };
  run(accept());
  run(scope.join());
  EXPECT_EQ(failed, 0);
  ASSERT_EQ(connected.size(), 5u);
  for (Fd& fd : connected) EXPECT_EQ(::write(fd.get(), "x", 1), 1);  // really connected
}

TEST_F(SocketTest, says_why_it_cannot_connect) {
  auto missing = run(base::connect_unix(scratch_ / "none"));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ENOENT);
  EXPECT_NE(missing.error().message.find("/none'"), std::string::npos) << missing.error().message;

  const std::string path = scratch_ / "socket";
  {
    auto listening = base::listen_unix(path, 5);
  }  // leaves the name
  EXPECT_EQ(run(base::connect_unix(path)).error().code, ECONNREFUSED);
  EXPECT_EQ(base::listen_unix(path, 5).error().code, EADDRINUSE);

  uint16_t port = 0;
  {
    auto listening = base::listen_tcp("127.0.0.1", 0, 5);
    port = *base::local_port(listening->get());
  }
  auto refused = run(base::connect_tcp("127.0.0.1", port));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ECONNREFUSED);
  EXPECT_EQ(refused.error().message,
            base::concat("Failed to connect to '127.0.0.1:", port, "': Connection refused"));
}

TEST_F(SocketTest, refuses_addresses_that_are_none) {
  for (const char* ip : {"", "localhost", "1.2.3", "1.2.3.4.5", "::g", "127.0.0.1 "}) {
    EXPECT_EQ(base::listen_tcp(ip, 0, 5).error().kind, ErrorKind::kInvalid) << ip;
    EXPECT_EQ(run(base::connect_tcp(ip, 1)).error().kind, ErrorKind::kInvalid) << ip;
  }
  const std::string longest = scratch_ / std::string(106 - scratch_.path().size(), 'x');
  ASSERT_EQ(longest.size(), 107u);
  EXPECT_TRUE(base::listen_unix(longest, 5));
  EXPECT_EQ(base::listen_unix(longest + "x", 5).error().kind, ErrorKind::kInvalid);
  EXPECT_EQ(run(base::connect_unix(longest + "x")).error().kind, ErrorKind::kInvalid);
}

TEST_F(SocketTest, can_go_on_accepting_after_running_out_of_descriptors) {
  const std::string path = scratch_ / "socket";
  auto listening = base::listen_unix(path, 5);
  FdWatch watch(listening->get(), FdWatch::kRead);
  auto client = run(base::connect_unix(path));
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit none = before;
  none.rlim_cur = 0;
  setrlimit(RLIMIT_NOFILE, &none);
  auto failed = run(base::accept_one(listening->get(), watch));
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, EMFILE);
  EXPECT_TRUE(run(base::accept_one(listening->get(), watch)));
}

}  // namespace
