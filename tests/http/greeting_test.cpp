// What a connection goes through before its first request, and a layer that it puts on the stream:
// here one that turns every bit around, so that what went past it is seen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <utility>

#include "base/stream.h"
#include "http/server.h"
#include "tests/http/support.h"

namespace http_test {
namespace {

using testing::HasSubstr;

std::string inverted(std::string text) {
  for (char& c : text) c = static_cast<char>(~c);
  return text;
}

class InvertingLayer final : public base::StreamLayer {
 public:
  InvertingLayer(int fd, int* ends) : fd_(fd), ends_(ends) {}

  base::Result<ssize_t> try_read(std::span<char> buffer) override {
    const ssize_t n = ::read(fd_, buffer.data(), buffer.size());
    if (n < 0 && errno == EAGAIN) return base::Stream::kWouldBlock;
    if (n < 0) return base::fail_errno("read");
    for (char& c : buffer.first(static_cast<size_t>(n))) c = static_cast<char>(~c);
    return n;
  }

  base::Result<ssize_t> try_write(std::span<const iovec> parts) override {
    std::string bytes;
    for (const iovec& part : parts) bytes.append(static_cast<char*>(part.iov_base), part.iov_len);
    bytes = inverted(bytes.substr(0, 1000));  // never all at once
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EAGAIN) return base::Stream::kWouldBlock;
    if (n < 0) return base::fail_errno("write");
    return n;
  }

  bool read_needs_write() const override { return false; }
  bool write_needs_read() const override { return false; }
  size_t held() const override { return 0; }
  bool try_end() override { return ++*ends_ > 1; }  // not at once

 private:
  int fd_;
  int* ends_;
};

class GreetingTest : public ServerTest {
 protected:
  void greet_with(http::Greeting greeting, http::Limits limits = {}) {
    greeting_ = std::move(greeting);
    server_ = std::make_unique<http::Server>(
        [](http::Request& request, http::ResponseWriter& writer) -> Task<void> {
          auto body = co_await http::read_all(request.body, 1 << 20);
          (void)co_await writer.start_stream(200, {});
          (void)co_await writer.write(body ? *body : body.error().message);
          (void)co_await writer.finish();
        },
        limits);
  }

  // Serves one end of a connection beside what is done at the other.
  void run_with(Task<void> (*client)(Peer&)) {
    auto [ours, theirs] = make_socketpair();
    run([](Task<void> serving, Peer peer, Task<void> (*talk)(Peer&)) -> Task<void> {
      co_await base::all_of(std::move(serving), talk(peer));
    }(server_->serve_connection(std::move(ours), &greeting_), Peer(std::move(theirs)), client));
  }

  http::Greeting greeting_;
  int ends_ = 0;
};

const std::string kRequest = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";

TEST_F(GreetingTest, everything_goes_through_the_layer) {
  greet_with([this](base::Stream& stream) -> Task<base::Status> {
    stream.put_layer(std::make_unique<InvertingLayer>(stream.fd(), &ends_));
    co_return base::Status{};
  });
  run_with([](Peer& peer) -> Task<void> {
    for (int i = 0; i < 3; ++i) {
      co_await peer.send(inverted(kRequest));
      const std::string answer = inverted(co_await peer.receive_until(inverted("0\r\n\r\n")));
      EXPECT_THAT(answer, HasSubstr("200 OK"));
      EXPECT_THAT(answer, HasSubstr("5\r\nhello\r\n"));
    }
    co_await peer.send(inverted("nonsense\r\n\r\n"));
    EXPECT_THAT(inverted(co_await peer.receive_all()), HasSubstr("400 Bad Request"));
    peer.close();
  });
  EXPECT_EQ(ends_, 2);
}

TEST_F(GreetingTest, a_long_body_comes_whole) {
  greet_with([this](base::Stream& stream) -> Task<base::Status> {
    stream.put_layer(std::make_unique<InvertingLayer>(stream.fd(), &ends_));
    co_return base::Status{};
  });
  run_with([](Peer& peer) -> Task<void> {
    std::string body(200'000, ' ');
    for (size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
    auto sending = [](Peer& to, std::string bytes) -> Task<void> {
      co_await to.send(std::move(bytes));
      to.half_close();
    };
    auto receiving = [](Peer& from, const std::string& expected) -> Task<void> {
      EXPECT_THAT(inverted(co_await from.receive_all()), HasSubstr(expected));
    };
    co_await base::all_of(
        sending(peer,
                inverted("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + body)),
        receiving(peer, body));
    peer.close();
  });
}

TEST_F(GreetingTest, who_is_invalid_is_told) {
  greet_with([](base::Stream&) -> Task<base::Status> {
    co_return base::fail(base::ErrorKind::kInvalid, "Not like this");
  });
  run_with([](Peer& peer) -> Task<void> {
    co_await peer.send(kRequest);
    const std::string answer = co_await peer.receive_all();
    EXPECT_THAT(answer, HasSubstr("HTTP/1.1 400 Bad Request"));
    EXPECT_THAT(answer, HasSubstr("Not like this"));
    peer.close();
  });
}

TEST_F(GreetingTest, any_other_failure_just_ends_the_connection) {
  greet_with([](base::Stream&) -> Task<base::Status> {
    co_return base::fail(base::ErrorKind::kClosed, "gone");
  });
  run_with([](Peer& peer) -> Task<void> {
    EXPECT_EQ(co_await peer.receive_all(), "");
    peer.close();
  });
}

TEST_F(GreetingTest, is_bounded_in_time_and_counted) {
  greet_with(
      [this](base::Stream&) -> Task<base::Status> {
        EXPECT_EQ(server_->connections(), 1u);
        co_await std::suspend_always{};
        co_return base::Status{};
      },
      {.greeting_timeout = 20ms});
  run_with([](Peer& peer) -> Task<void> { EXPECT_EQ(co_await peer.receive_all(), ""); });
  EXPECT_EQ(server_->connections(), 0u);
}

}  // namespace
}  // namespace http_test
