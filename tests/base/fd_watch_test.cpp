#include "base/fd_watch.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <memory>

#include "base/scope.h"
#include "base/stream.h"
#include "tests/base/loop_test.h"

namespace {

using base::Fd;
using base::FdWatch;
using base::Task;
using tests::Log;
using namespace std::chrono_literals;

struct Pair {
  Fd ours;
  Fd theirs;
};

Pair make_sockets(int type = SOCK_STREAM) {
  int fds[2];
  EXPECT_EQ(socketpair(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  return {Fd(fds[0]), Fd(fds[1])};
}

// The two ends of a TCP connection, both non-blocking.
Pair make_tcp() {
  auto listening = base::listen_tcp("127.0.0.1", 0, 5);
  Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(*base::local_port(listening->get()));
  EXPECT_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  Fd server(accept4(listening->get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  EXPECT_TRUE(server);
  fcntl(client.get(), F_SETFL, O_NONBLOCK);
  return {std::move(server), std::move(client)};
}

// Closes a TCP connection so that the peer gets a reset.
void reset_connection(Fd fd) {
  const linger now{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
}

bool put(int fd, std::string_view text) {
  return ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

// Everything that can be read now.
std::string get(int fd) {
  std::string all;
  char buffer[4096];
  ssize_t n;
  while ((n = ::read(fd, buffer, sizeof(buffer))) > 0) all.append(buffer, static_cast<size_t>(n));
  return all;
}

void fill(int fd) {
  static const std::array<char, 65536> kBlock{};
  for (size_t size = kBlock.size(); size > 0; size /= 2) {
    while (::write(fd, kBlock.data(), size) > 0) {
    }
  }
}

class FdWatches : public tests::LoopTest {
 protected:
  Task<void> when_readable(FdWatch& watch, std::string what) {
    co_await watch.readable();
    log_.push_back(std::move(what));
  }
  Task<void> when_writable(FdWatch& watch, std::string what) {
    co_await watch.writable();
    log_.push_back(std::move(what));
  }
  Task<void> when_closed(FdWatch& watch, std::string what) {
    co_await watch.peer_closed();
    log_.push_back(std::move(what));
  }

  Task<void> when_gone(FdWatch& watch, std::string what) {
    co_await watch.peer_gone();
    log_.push_back(std::move(what));
  }

  Log log_;
};

TEST_F(FdWatches, tell_when_there_is_something_to_read) {
  auto [ours, theirs] = make_sockets();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  base::Scope scope;
  for (int i = 0; i < 3; ++i) {
    log_.clear();
    scope.spawn(when_readable(watch, "readable"));
    settle();
    EXPECT_EQ(log_, Log());
    EXPECT_TRUE(put(theirs.get(), "hello"));
    settle();
    EXPECT_EQ(log_, Log{"readable"});
    EXPECT_EQ(get(ours.get()), "hello");
  }
}

TEST_F(FdWatches, tell_of_what_was_there_before_them) {
  auto [ours, theirs] = make_sockets();
  EXPECT_TRUE(put(theirs.get(), "hello"));
  FdWatch watch(ours.get(), FdWatch::kRead);
  run(when_readable(watch, "readable"));
  EXPECT_EQ(log_, Log{"readable"});
}

TEST_F(FdWatches, see_data_that_comes_between_eagain_and_the_wait) {
  auto [ours, theirs] = make_sockets();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  settle();  // the edges of the beginning are over
  auto body = [&]() -> Task<void> {
    for (int i = 0; i < 1000; ++i) {
      EXPECT_EQ(get(ours.get()), "");  // until EAGAIN
      EXPECT_TRUE(put(theirs.get(), "x"));
      while (true) {
        co_await watch.readable();
        if (get(ours.get()) == "x") break;
      }
    }
  };
  run(body());
}

TEST_F(FdWatches, lose_nothing_if_something_else_is_awaited_before) {
  auto [ours, theirs] = make_sockets();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  settle();
  auto body = [&]() -> Task<void> {
    EXPECT_EQ(get(ours.get()), "");
    EXPECT_TRUE(put(theirs.get(), "x"));
    co_await base::sleep_for(5ms);  // the only edge comes here
    co_await watch.readable();
    EXPECT_EQ(get(ours.get()), "x");
  };
  run(body());
}

TEST_F(FdWatches, wait_after_an_edge_whose_data_is_read) {
  auto [ours, theirs] = make_sockets();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  EXPECT_TRUE(put(theirs.get(), "x"));
  settle();
  EXPECT_EQ(get(ours.get()), "x");
  int resumed = 0;
  auto body = [&]() -> Task<void> {
    while (get(ours.get()).empty()) {
      co_await watch.readable();
      ++resumed;
    }
  };
  base::Scope scope;
  scope.spawn(body());
  settle();
  EXPECT_LE(resumed, 1);  // for the edge that is past
  EXPECT_EQ(scope.size(), 1u);
  EXPECT_TRUE(put(theirs.get(), "y"));
  run(scope.join());
}

TEST_F(FdWatches, keep_both_directions_apart) {
  auto [ours, theirs] = make_sockets();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  settle();
  auto drained = [&](FdWatch& w) -> Task<void> {
    co_await w.writable();  // at once: it was writable from the start
    fill(ours.get());
    co_await w.writable();
    while (::write(ours.get(), "x", 1) < 0) co_await w.writable();
    log_.push_back("written");
  };
  auto read = [&](FdWatch& w) -> Task<void> {
    while (get(ours.get()).empty()) co_await w.readable();
    log_.push_back("read");
  };
  base::Scope scope;
  scope.spawn(drained(watch));
  scope.spawn(read(watch));
  settle();
  EXPECT_EQ(log_, Log());
  EXPECT_TRUE(put(theirs.get(), "x"));
  settle();
  EXPECT_EQ(log_, Log{"read"});
  get(theirs.get());
  settle();
  EXPECT_EQ(log_, (Log{"read", "written"}));
}

TEST_F(FdWatches, can_be_waited_for_again_after_a_cancellation) {
  auto [ours, theirs] = make_sockets();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  base::Scope scope;
  scope.spawn(when_readable(watch, "cancelled"));
  settle();
  EXPECT_TRUE(put(theirs.get(), "x"));
  scope.cancel();
  settle();
  scope.spawn(when_readable(watch, "readable"));
  settle();
  EXPECT_EQ(log_, Log{"readable"});
}

TEST_F(FdWatches, can_be_many_for_one_descriptor) {
  auto [ours, theirs] = make_sockets();
  FdWatch reads(ours.get(), FdWatch::kRead);
  auto writes = std::make_unique<FdWatch>(ours.get(), FdWatch::kWrite);
  base::Scope scope;
  scope.spawn(when_readable(reads, "readable"));
  run(when_writable(*writes, "writable"));
  writes.reset();
  EXPECT_TRUE(put(theirs.get(), "x"));
  run(scope.join());
  EXPECT_EQ(log_, (Log{"writable", "readable"}));
}

TEST_F(FdWatches, see_the_peer_close_with_data_unread) {
  for (bool tcp : {false, true}) {
    log_.clear();
    auto [ours, theirs] = tcp ? make_tcp() : make_sockets();
    FdWatch watch(ours.get(), FdWatch::kReadWrite);
    base::Scope scope;
    scope.spawn(when_closed(watch, "closed"));
    EXPECT_TRUE(put(theirs.get(), "last words"));
    settle();
    EXPECT_EQ(log_, Log());
    EXPECT_FALSE(watch.is_peer_closed());
    shutdown(theirs.get(), SHUT_WR);
    settle();
    EXPECT_EQ(log_, Log{"closed"});
    EXPECT_TRUE(watch.is_peer_closed());
    EXPECT_EQ(get(ours.get()), "last words");
    scope.spawn(when_closed(watch, "still closed"));
    EXPECT_EQ(log_.size(), 2u);
  }
}

TEST_F(FdWatches, see_the_peer_close_its_socket) {
  for (bool tcp : {false, true}) {
    log_.clear();
    auto [ours, theirs] = tcp ? make_tcp() : make_sockets();
    FdWatch watch(ours.get(), FdWatch::kReadWrite);
    base::Scope scope;
    scope.spawn(when_closed(watch, "closed"));
    theirs.reset();
    settle();
    EXPECT_EQ(log_, Log{"closed"});
  }
}

TEST_F(FdWatches, know_at_once_that_a_unix_peer_has_gone) {
  auto [ours, theirs] = make_sockets();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  base::Scope scope;
  scope.spawn(when_gone(watch, "gone"));
  shutdown(theirs.get(), SHUT_WR);
  settle();
  EXPECT_EQ(log_, Log());
  EXPECT_FALSE(watch.is_peer_gone());
  theirs.reset();
  settle();
  EXPECT_EQ(log_, Log{"gone"});
  EXPECT_TRUE(watch.is_peer_gone());
  scope.spawn(when_gone(watch, "still gone"));
  EXPECT_EQ(log_.size(), 2u);
}

TEST_F(FdWatches, know_that_a_tcp_peer_has_gone_when_they_send_to_it) {
  for (const bool half : {true, false}) {
    log_.clear();
    auto [ours, theirs] = make_tcp();
    FdWatch watch(ours.get(), FdWatch::kReadWrite);
    base::Scope scope;
    scope.spawn(when_gone(watch, "gone"));
    if (half) {
      shutdown(theirs.get(), SHUT_WR);
    } else {
      theirs.reset();
    }
    settle();
    EXPECT_EQ(log_, Log());
    EXPECT_FALSE(watch.is_peer_gone());
    EXPECT_TRUE(put(ours.get(), "anybody?"));
    settle();
    EXPECT_EQ(log_, half ? Log() : Log{"gone"});
    EXPECT_EQ(watch.is_peer_gone(), !half);
  }
}

TEST_F(FdWatches, see_a_reset) {
  for (auto direction : {FdWatch::kReadWrite, FdWatch::kRead}) {
    log_.clear();
    auto [ours, theirs] = make_tcp();
    FdWatch watch(ours.get(), direction);
    base::Scope scope;
    scope.spawn(when_closed(watch, "closed"));
    settle();
    EXPECT_EQ(log_, Log());
    reset_connection(std::move(theirs));
    settle();
    EXPECT_EQ(log_, Log{"closed"});
  }
}

TEST_F(FdWatches, see_a_reset_that_came_before_the_wait) {
  auto [ours, theirs] = make_tcp();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  settle();
  reset_connection(std::move(theirs));
  settle();
  EXPECT_TRUE(watch.is_peer_closed());
  base::Scope scope;
  scope.spawn(when_closed(watch, "closed"));
  EXPECT_EQ(log_, Log{"closed"});
}

TEST_F(FdWatches, do_not_take_data_for_a_close) {
  auto [ours, theirs] = make_tcp();
  FdWatch watch(ours.get(), FdWatch::kReadWrite);
  base::Scope scope;
  scope.spawn(when_closed(watch, "closed"));
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(put(theirs.get(), "x"));
    settle();
  }
  EXPECT_EQ(log_, Log());
  EXPECT_FALSE(watch.is_peer_closed());
}

TEST_F(FdWatches, see_the_other_end_of_a_pipe_close) {
  for (bool reading : {true, false}) {
    log_.clear();
    auto pipe = base::make_pipe();
    Fd& ours = reading ? pipe->read_end : pipe->write_end;
    Fd& theirs = reading ? pipe->write_end : pipe->read_end;
    FdWatch watch(ours.get(), reading ? FdWatch::kRead : FdWatch::kWrite);
    base::Scope scope;
    scope.spawn(when_closed(watch, "closed"));
    settle();
    EXPECT_EQ(log_, Log());
    theirs.reset();
    settle();
    EXPECT_EQ(log_, Log{"closed"});
  }
}

TEST_F(FdWatches, take_what_epoll_refuses_for_ready) {
  Fd file(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  testing::internal::CaptureStderr();  // libevent warns
  FdWatch watch(file.get(), FdWatch::kReadWrite);
  testing::internal::GetCapturedStderr();
  auto body = [&]() -> Task<void> {
    for (int i = 0; i < 100; ++i) co_await watch.readable();
    co_await watch.writable();
  };
  // The loop turns meanwhile, so whoever waits in vain does not block the others.
  auto spin = [&]() -> Task<void> {
    while (true) co_await watch.readable();
  };
  base::Scope scope;
  scope.spawn(spin());
  run(body());
  settle();
  EXPECT_EQ(scope.size(), 1u);
  EXPECT_FALSE(watch.is_peer_closed());
}

TEST_F(FdWatches, leave_the_descriptor_to_others_when_destroyed) {
  // The open file stays (there is a duplicate), so epoll would go on telling about it.
  auto [ours, theirs] = make_sockets();
  Fd copy(dup(ours.get()));
  {
    FdWatch watch(ours.get(), FdWatch::kReadWrite);
    settle();
  }
  ours.reset();
  EXPECT_TRUE(put(theirs.get(), "x"));
  settle();
  FdWatch watch(copy.get(), FdWatch::kRead);
  run(when_readable(watch, "readable"));
  EXPECT_EQ(get(copy.get()), "x");
}

}  // namespace
