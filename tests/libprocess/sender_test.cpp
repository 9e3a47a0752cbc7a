#include "libprocess/sender.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "libprocess/receiver.h"
#include "tests/http/support.h"

namespace {

using base::Task;
using http_test::Peer;
using namespace std::chrono_literals;
using libprocess::Message;
using libprocess::Receiver;
using libprocess::Sender;
using libprocess::Upid;

constexpr uint32_t kLoopback = 0x7F000001;
const Upid kSelf{"slave(1)", kLoopback, 5051};

// Sends to a real server with a receiver behind it, or to bytes.
class SenderTest : public http_test::ServerTest {
 protected:
  void serve() {
    for (const char* id : {"master", "observer"}) {
      receiver_.install(id, [this](const Message& message) {
        received_.push_back(message.to + " " + message.name + " " + message.body);
      });
    }
    start([this](http::Request& request, http::ResponseWriter& writer) {
      return receiver_.handle(request, writer);
    });
  }
  Upid peer(std::string id) const { return {std::move(id), kLoopback, port_}; }

  // A listening socket, which the test accepts on.
  void listen() {
    listening_ = base::listen_tcp("127.0.0.1", 0, 64).value();
    port_ = base::local_port(listening_.get()).value();
    watch_ = std::make_unique<base::FdWatch>(listening_.get(), base::FdWatch::kRead);
  }
  Task<Peer> accept() {
    co_return Peer((co_await base::accept_one(listening_.get(), *watch_)).value());
  }

  Receiver receiver_;
  std::vector<std::string> received_;
  base::Fd listening_;
  std::unique_ptr<base::FdWatch> watch_;
  Sender sender_{{.queue_bytes = 1'000'000, .connect_timeout = 10s, .stall_timeout = 200ms}};
  int exits_ = 0;
  std::function<void()> count_exit_ = [this] { ++exits_; };
};

constexpr std::string_view kAccepted =
    "HTTP/1.1 202 Accepted\r\nDate: now\r\nContent-Length: 0\r\n\r\n";

TEST_F(SenderTest, sends_in_order_over_a_connection_that_is_linked) {
  serve();
  std::vector<std::string> expected;
  run([&]() -> Task<void> {
    sender_.link(peer("master"), count_exit_);
    for (int i = 0; i < 500; ++i) {
      const char* to = i % 2 == 0 ? "master" : "observer";
      const std::string name = base::concat("m", i);
      const std::string body(i * 5, 'x');
      sender_.send(kSelf, peer(to), name, body);
      expected.push_back(base::concat(to, " ", name, " ", body));
    }
    co_await sender_.flush();
    EXPECT_EQ(1U, server_->connections());
    EXPECT_TRUE(sender_.is_linked(peer("master")));
  }());
  EXPECT_EQ(expected, received_);
  EXPECT_EQ(0, exits_);
}

TEST_F(SenderTest, closes_a_connection_without_a_link_when_all_is_answered) {
  serve();
  run([&]() -> Task<void> {
    sender_.send(kSelf, peer("master"), "one", "");
    sender_.send(kSelf, peer("master"), "two", "x");
    co_await eventually([&] { return received_.size() == 2; });
    co_await eventually([&] { return server_->connections() == 0; });
    sender_.send(kSelf, peer("master"), "three", "");
    co_await eventually([&] { return received_.size() == 3; });
    co_await eventually([&] { return server_->connections() == 0; });
  }());
  EXPECT_EQ((std::vector<std::string>{"master one ", "master two x", "master three "}), received_);
}

TEST_F(SenderTest, does_not_wait_for_answers) {
  listen();
  run([&]() -> Task<void> {
    sender_.link(peer("master"), count_exit_);
    sender_.send(kSelf, peer("master"), "one", "abc");
    sender_.send(kSelf, peer("master"), "two", "");
    Peer master = co_await accept();
    EXPECT_EQ(base::concat("POST /master/one HTTP/1.1\r\n"
                           "User-Agent: libprocess/slave(1)@127.0.0.1:5051\r\n"
                           "Libprocess-From: slave(1)@127.0.0.1:5051\r\n"
                           "Connection: Keep-Alive\r\nHost: 127.0.0.1:",
                           port_, "\r\nTransfer-Encoding: chunked\r\n\r\n"),
              co_await master.receive_until("\r\n\r\n"));
    EXPECT_EQ("3\r\nabc\r\n0\r\n\r\n", co_await master.receive_until("0\r\n\r\n"));
    EXPECT_TRUE((co_await master.receive_until("\r\n\r\n")).starts_with("POST /master/two "));
    // A linked connection stays, however long nothing is answered.
    co_await base::sleep_for(400ms);
    sender_.send(kSelf, peer("master"), "three", "");
    EXPECT_TRUE((co_await master.receive_until("\r\n\r\n")).starts_with("POST /master/three "));
  }());
  EXPECT_EQ(0, exits_);
}

TEST_F(SenderTest, reads_answers_of_any_kind) {
  listen();
  run([&]() -> Task<void> {
    sender_.link(peer("master"), count_exit_);
    Peer master = co_await accept();
    // Far more than a socket holds: whoever did not read would not be written to.
    const std::string answer = base::concat("HTTP/1.1 500 No\r\nContent-Length: 100000\r\n\r\n",
                                            std::string(100'000, 'x'));
    for (int i = 0; i < 200; ++i) {
      sender_.send(kSelf, peer("master"), "m", "");
      co_await master.receive_until("\r\n\r\n");
      EXPECT_TRUE(co_await master.send(answer));
    }
    // What is no answer at all is dropped as well.
    for (int i = 0; i < 200; ++i) EXPECT_TRUE(co_await master.send(std::string(100'000, '?')));
    sender_.send(kSelf, peer("master"), "last", "");
    EXPECT_TRUE((co_await master.receive_until("\r\n\r\n")).starts_with("POST /master/last "));
    co_await sender_.flush();
  }());
  EXPECT_EQ(0, exits_);
}

TEST_F(SenderTest, tells_the_end_of_a_linked_connection_once_to_each) {
  listen();
  int others = 0;
  run([&]() -> Task<void> {
    sender_.link(peer("master"), count_exit_);
    sender_.link(peer("master"), count_exit_);  // in place of the first
    sender_.link(peer("observer"), [&] { ++others; });
    {
      const Peer master = co_await accept();
    }
    co_await eventually([&] { return exits_ == 1 && others == 1; });
    EXPECT_FALSE(sender_.is_linked(peer("master")));
    // The next message goes over a connection of its own.
    sender_.send(kSelf, peer("master"), "again", "");
    Peer master = co_await accept();
    EXPECT_TRUE((co_await master.receive_until("\r\n\r\n")).starts_with("POST /master/again "));
    co_await master.send(std::string(kAccepted));
    EXPECT_EQ("", co_await master.receive_some());
  }());
  EXPECT_EQ(1, exits_);
  EXPECT_EQ(1, others);
}

TEST_F(SenderTest, tells_of_a_peer_that_is_not_there) {
  listen();
  watch_.reset();
  listening_.reset();
  run([&]() -> Task<void> {
    sender_.send(kSelf, peer("master"), "lost", "");
    sender_.link(peer("master"), [this] {
      ++exits_;
      if (exits_ == 1) sender_.link(peer("master"), count_exit_);  // from within
    });
    EXPECT_EQ(0, exits_) << "told from within link()";
    co_await eventually([&] { return exits_ == 2; });
    co_await sender_.flush();
  }());
}

TEST_F(SenderTest, tells_nothing_after_unlink) {
  listen();
  run([&]() -> Task<void> {
    sender_.link(peer("master"), count_exit_);
    Peer first = co_await accept();
    sender_.send(kSelf, peer("master"), "before", "");
    sender_.unlink(peer("master"));
    EXPECT_FALSE(sender_.is_linked(peer("master")));
    // From here on another connection is used; the first delivers what it has.
    sender_.link(peer("master"), count_exit_);
    sender_.send(kSelf, peer("master"), "after", "");
    Peer second = co_await accept();
    EXPECT_TRUE((co_await second.receive_until("\r\n\r\n")).starts_with("POST /master/after "));
    EXPECT_TRUE((co_await first.receive_until("\r\n\r\n")).starts_with("POST /master/before "));
    co_await first.send(std::string(kAccepted));
    EXPECT_EQ("", co_await first.receive_some());
    first.close();
    co_await base::sleep_for(20ms);
    EXPECT_EQ(0, exits_);
    second.close();
    co_await eventually([&] { return exits_ == 1; });
  }());
}

TEST_F(SenderTest, gives_up_a_peer_that_does_not_answer_if_it_is_not_linked) {
  listen();
  run([&]() -> Task<void> {
    sender_.send(kSelf, peer("master"), "one", "");
    Peer master = co_await accept();
    EXPECT_TRUE((co_await master.receive_until("\r\n\r\n")).starts_with("POST /master/one "));
    EXPECT_EQ("", co_await master.receive_some());
    // The same after a link was given up.
    sender_.link(peer("master"), count_exit_);
    Peer linked = co_await accept();
    sender_.send(kSelf, peer("master"), "two", "");
    co_await linked.receive_until("\r\n\r\n");
    sender_.unlink(peer("master"));
    EXPECT_EQ("", co_await linked.receive_some());
  }());
  EXPECT_EQ(0, exits_);
}

TEST_F(SenderTest, bounds_what_waits_for_a_peer) {
  listen();
  run([&]() -> Task<void> {
    sender_.link(peer("master"), count_exit_);
    // What finds nothing waiting may be larger than the bound.
    sender_.send(kSelf, peer("master"), "first", std::string(40'000'000, 'x'));
    for (int i = 0; i < 100; ++i) sender_.send(kSelf, peer("master"), "m", std::string(1000, 'x'));
    Peer master = co_await accept();
    size_t seen = 0;
    while (seen < 40'000'000) seen += (co_await master.receive_some()).size();
    co_await base::sleep_for(20ms);
    for (int i = 0; i < 3; ++i) sender_.send(kSelf, peer("master"), "later", "");
    std::string rest;
    while (rest.find("/later ") == std::string::npos) rest += co_await master.receive_some();
    EXPECT_EQ(std::string::npos, rest.find("/m ")) << "nothing was dropped";
  }());
  EXPECT_EQ(0, exits_);
}

TEST_F(SenderTest, flushes_with_a_limit) {
  listen();
  run([&]() -> Task<void> {
    co_await sender_.flush();  // nothing to do
    sender_.link(peer("master"), count_exit_);
    sender_.send(kSelf, peer("master"), "one", "");
    Peer master = co_await accept();
    co_await sender_.flush(100ms);  // without an answer
    EXPECT_TRUE((co_await master.receive_until("\r\n\r\n")).starts_with("POST /master/one "));
  }());
}

TEST_F(SenderTest, sends_nothing_to_nobody) {
  sender_.send(kSelf, {}, "m", "");
  sender_.send(kSelf, *Upid::parse("@127.0.0.1:1"), "m", "");
  EXPECT_FALSE(sender_.is_linked({}));
  run([&]() -> Task<void> { co_await sender_.flush(); }());
}

}  // namespace
