// Messages over TLS: to real servers, with certificates of all kinds.
#include <glog/logging.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/combine.h"
#include "base/resolver.h"
#include "base/scope.h"
#include "base/strings.h"
#include "http/tls.h"
#include "libprocess/receiver.h"
#include "libprocess/sender.h"
#include "tests/http/support.h"
#include "tests/http/tls_identity.h"
#include "tests/scratch.h"

namespace {

using base::Task;
using http::Tls;
using http::TlsOptions;
using http_test::Authority;
using http_test::IdentityFiles;
using http_test::Peer;
using libprocess::Message;
using libprocess::Receiver;
using libprocess::Sender;
using libprocess::Upid;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

constexpr uint32_t kLoopback = 0x7F000001;
const Upid kSelf{"slave(1)", kLoopback, 5051};

// The warnings that are logged while it lives.
class Warnings final : public google::LogSink {
 public:
  Warnings() { google::AddLogSink(this); }
  ~Warnings() override { google::RemoveLogSink(this); }
  void send(google::LogSeverity severity, const char*, const char*, int,
            const google::LogMessageTime&, const char* text, size_t size) override {
    if (severity == google::GLOG_WARNING) all.emplace_back(text, size);
  }
  std::vector<std::string> all;
};

class SenderTlsTest : public http_test::ServerTest {
 protected:
  static TlsOptions options(const IdentityFiles& files) {
    TlsOptions options;
    options.enabled = true;
    options.key_file = files.key;
    options.cert_file = files.cert;
    options.ciphers = "HIGH";
    options.ecdh_curves = "auto";
    options.hostname_validation_scheme = "openssl";
    return options;
  }

  static std::unique_ptr<Tls> make(const TlsOptions& options) {
    auto made = Tls::make(options, [](const std::string&) {});
    EXPECT_TRUE(made.has_value()) << made.error().message;
    return *std::move(made);
  }

  void serve(const http::Greeting* greeting) {
    receiver_.install("master", [this](const Message& message) {
      received_.push_back(base::concat(message.name, " ", message.body));
    });
    start([this](http::Request& request,
                 http::ResponseWriter& writer) { return receiver_.handle(request, writer); },
          {}, greeting);
  }
  // Also in place of what was served before, when nobody is connected.
  void serve(const TlsOptions& options) {
    server_tls_ = make(options);
    if (server_ != nullptr) return;
    greeting_ = [this](base::Stream& stream) { return server_tls_->greet(stream); };
    serve(&greeting_);
  }
  void serve_plainly() { serve(nullptr); }

  // A listening socket, which the test accepts on.
  void listen() {
    listening_ = base::listen_tcp("127.0.0.1", 0, 64).value();
    port_ = base::local_port(listening_.get()).value();
    watch_ = std::make_unique<base::FdWatch>(listening_.get(), base::FdWatch::kRead);
  }
  Task<base::Fd> accept() {
    co_return (co_await base::accept_one(listening_.get(), *watch_)).value();
  }

  void use(const TlsOptions& options) {
    tls_ = make(options);
    sender_->dialer().use_tls(tls_.get());
  }

  Upid peer() const { return {"master", kLoopback, port_}; }

  // Whether a message arrives; if not, the link must have ended.
  Task<void> send(std::string name, bool arrives) {
    const size_t before = received_.size();
    const int exits = exits_;
    sender_->link(peer(), count_exit_);
    sender_->send(kSelf, peer(), name, "");
    co_await eventually([&] { return received_.size() > before || exits_ > exits; });
    EXPECT_EQ(arrives, received_.size() > before) << name;
    EXPECT_EQ(arrives, exits_ == exits) << name;
    sender_->unlink(peer());
    co_await sender_->flush();
    co_await eventually([&] { return server_->connections() == 0; });
  }

  tests::ScratchDirectory scratch_;
  Authority authority_{scratch_.path(), "authority"};
  Authority stranger_{scratch_.path(), "stranger"};
  IdentityFiles master_ = authority_.issue("master", "DNS:master.test,IP:127.0.0.1");
  IdentityFiles agent_ = authority_.issue("agent");

  std::unique_ptr<Tls> server_tls_;
  http::Greeting greeting_;
  Receiver receiver_;
  std::vector<std::string> received_;
  base::Fd listening_;
  std::unique_ptr<base::FdWatch> watch_;

  std::unique_ptr<Tls> tls_;
  std::optional<Sender> sender_{std::in_place, Sender::Limits{.connect_timeout = 10s}};
  int exits_ = 0;
  std::function<void()> count_exit_ = [this] { ++exits_; };
};

TEST_F(SenderTlsTest, sends_in_order) {
  serve(options(master_));
  use(options(agent_));
  std::vector<std::string> expected;
  run([&]() -> Task<void> {
    sender_->link(peer(), count_exit_);
    for (int i = 0; i < 300; ++i) {
      const std::string name = base::concat("m", i);
      // Smaller than a record, of many records, and more than a socket takes at once.
      const std::string body(i == 150 ? 5'000'000 : static_cast<size_t>(i) * 300, 'x');
      sender_->send(kSelf, peer(), name, body);
      expected.push_back(base::concat(name, " ", body));
    }
    co_await eventually([&] { return received_.size() == expected.size(); });
    co_await sender_->flush();
    EXPECT_EQ(server_->connections(), 1U);
    EXPECT_TRUE(sender_->is_linked(peer()));
    sender_->unlink(peer());
    co_await eventually([&] { return server_->connections() == 0; });
  }());
  EXPECT_EQ(expected, received_);
  EXPECT_EQ(exits_, 0);
}

TEST_F(SenderTlsTest, says_that_nothing_follows) {
  listen();
  use(options(agent_));
  server_tls_ = make(options(master_));
  run([&]() -> Task<void> {
    sender_->send(kSelf, peer(), "one", "");
    base::Stream stream(co_await accept());
    const auto greeted = co_await server_tls_->greet(stream);
    EXPECT_TRUE(greeted.has_value());
    std::string got;
    char bytes[4096];
    while (!got.ends_with("\r\n\r\n")) {
      const auto n = co_await stream.read_some(bytes);
      EXPECT_TRUE(n.has_value() && *n > 0);
      if (!n || *n == 0) co_return;
      got.append(bytes, *n);
    }
    EXPECT_TRUE(got.starts_with("POST /master/one ")) << got;
    EXPECT_TRUE(co_await stream.write_all("HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"));
    // Not what comes over TLS, but what is on the wire: a record before the end.
    while (true) {
      const ssize_t n = recv(stream.fd(), bytes, sizeof(bytes), MSG_DONTWAIT);
      if (n >= 0) {
        EXPECT_GT(n, 0) << "the connection ends without close_notify";
        break;
      }
      co_await stream.readable();
    }
  }());
}

TEST_F(SenderTlsTest, tells_of_the_end_of_a_connection) {
  listen();
  use(options(agent_));
  server_tls_ = make(options(master_));
  run([&]() -> Task<void> {
    for (const bool politely : {true, false}) {
      const int before = exits_;
      sender_->link(peer(), count_exit_);
      {
        base::Stream stream(co_await accept());
        EXPECT_TRUE((co_await server_tls_->greet(stream)).has_value());
        if (politely) {
          EXPECT_TRUE(stream.shutdown_write());
          co_await eventually([&] { return exits_ > before; });
        }
      }
      co_await eventually([&] { return exits_ > before; });
    }
  }());
  EXPECT_EQ(exits_, 2);
}

TEST_F(SenderTlsTest, shows_its_certificate) {
  TlsOptions demanding = options(master_);
  demanding.require_client_cert = true;
  demanding.ca_file = authority_.cert_file();
  run([&]() -> Task<void> {
    for (const bool with_tls_1_3 : {true, false}) {
      demanding.enable_tls_v1_3 = with_tls_1_3;
      serve(demanding);
      Warnings warnings;
      use(options(agent_));
      co_await send("known", true);
      EXPECT_THAT(warnings.all, IsEmpty());
      use(options(stranger_.issue("intruder")));
      co_await send("unknown", false);
      EXPECT_THAT(warnings.all,
                  ElementsAre(AllOf(HasSubstr(peer().address().to_string()), HasSubstr("alert"))));
    }
  }());
}

TEST_F(SenderTlsTest, verifies_the_server_only_if_asked_to) {
  serve(options(stranger_.issue("intruder", "IP:127.0.0.1")));
  TlsOptions careless = options(agent_);
  careless.ca_file = authority_.cert_file();
  TlsOptions careful = careless;
  careful.verify_server_cert = true;
  careful.verify_ipadd = true;
  Warnings warnings;
  run([&]() -> Task<void> {
    use(careless);
    co_await send("careless", true);
    use(careful);
    for (int i = 0; i < 3; ++i) co_await send("careful", false);
  }());
  EXPECT_THAT(warnings.all, ElementsAre(AllOf(HasSubstr(peer().address().to_string()),
                                              HasSubstr("unable to get local issuer certificate"))))
      << "once for the same cause";
}

TEST_F(SenderTlsTest, compares_names) {
  struct Case {
    const char* alternatives;
    bool verify_ipadd;
    const char* scheme;
    const char* known_as;
    bool accepted;
  };
  constexpr Case kCases[] = {
      {"IP:127.0.0.1", true, "openssl", "", true},
      {"IP:127.0.0.1", true, "legacy", "", true},
      {"IP:127.0.0.1", false, "openssl", "", false},  // there is nothing to compare
      {"IP:127.0.0.1", false, "legacy", "", false},
      {"IP:127.0.0.2", true, "openssl", "", false},
      {"DNS:localhost", false, "legacy", "", true},  // what the resolver says
      {"DNS:localhost", false, "openssl", "", false},
      {"DNS:localhost", true, "openssl", "", false},
      {"DNS:master.test", false, "openssl", "master.test", true},
      {"DNS:*.cluster.test", false, "openssl", "master.cluster.test", true},
      {"DNS:*.cluster.test", false, "openssl", "a.master.cluster.test", false},
      {"DNS:*.test", false, "openssl", "master.test", false},  // of a whole top-level domain
      {"DNS:MASTER.test", false, "openssl", "master.test", true},
      {"DNS:other.test", false, "openssl", "master.test", false},
      {"DNS:other.test", false, "openssl", "common", true},  // the common name
      {"DNS:other.test", true, "openssl", "master.test", false},
      {"DNS:other.test,IP:127.0.0.1", true, "openssl", "master.test", true},
      {"DNS:master.test", false, "legacy", "master.test", true},
      {"", false, "legacy", "", false},
  };
  run([&]() -> Task<void> {
    for (const Case& c : kCases) {
      const std::string what = base::concat(c.alternatives, " ", c.verify_ipadd ? 1 : 0, " ",
                                            c.scheme, " '", c.known_as, "'");
      serve(options(authority_.issue("common", c.alternatives)));
      TlsOptions careful = options(agent_);
      careful.ca_file = authority_.cert_file();
      careful.verify_server_cert = true;
      careful.verify_ipadd = c.verify_ipadd;
      careful.hostname_validation_scheme = c.scheme;
      use(careful);
      sender_.emplace();  // which has complained of nothing yet
      sender_->dialer().use_tls(tls_.get());
      sender_->dialer().set_name(peer().address(), c.known_as);
      const Warnings warnings;
      co_await send("m", c.accepted);
      EXPECT_EQ(warnings.all.size(), c.accepted ? 0U : 1U) << what;
      for (const std::string& text : warnings.all) {
        EXPECT_THAT(text, AllOf(HasSubstr("127.0.0.1"), HasSubstr("certificate")));
      }
    }
  }());
}

TEST_F(SenderTlsTest, trusts_nobody_whose_name_cannot_be_looked_up) {
  serve(options(authority_.issue("localhost", "DNS:localhost")));
  TlsOptions careful = options(agent_);
  careful.ca_file = authority_.cert_file();
  careful.verify_server_cert = true;
  careful.hostname_validation_scheme = "legacy";
  use(careful);
  // As many hang as can, and as many wait as may.
  const auto go = std::make_shared<std::latch>(1);
  const auto begun = std::make_shared<std::atomic<size_t>>(0);
  base::Scope others;
  const auto spawn_some = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      others.spawn([](auto until, auto counter) -> Task<void> {
        (void)co_await base::ask_resolver("", [until, counter] {
          ++*counter;
          until->wait();
          return std::string();
        });
      }(go, begun));
    }
  };
  spawn_some(base::kResolverThreads);
  run([&]() -> Task<void> {
    while (*begun < base::kResolverThreads) co_await base::sleep_for(1ms);
  }());
  spawn_some(base::kResolverQueue);
  Warnings warnings;
  run([&]() -> Task<void> { co_await send("early", false); }());
  EXPECT_THAT(warnings.all,
              ElementsAre(AllOf(HasSubstr("the name of 127.0.0.1 cannot be looked up"),
                                HasSubstr("the host's resolver is too slow"))));
  go->count_down();
  run(others.join());
  run([&]() -> Task<void> { co_await send("late", true); }());
}

TEST_F(SenderTlsTest, falls_back_only_if_allowed) {
  serve_plainly();
  TlsOptions downgrading = options(agent_);
  downgrading.support_downgrade = true;
  Warnings warnings;
  run([&]() -> Task<void> {
    use(options(agent_));
    co_await send("strict", false);
    EXPECT_THAT(warnings.all, ElementsAre(HasSubstr("the peer does not speak TLS")));
    warnings.all.clear();
    use(downgrading);
    for (int i = 0; i < 3; ++i) co_await send("downgraded", true);
    EXPECT_THAT(warnings.all,
                ElementsAre(AllOf(HasSubstr(peer().address().to_string()), HasSubstr("without TLS"),
                                  HasSubstr("the peer does not speak TLS"))));
  }());
}

TEST_F(SenderTlsTest, prefers_tls_to_falling_back) {
  TlsOptions both = options(master_);
  both.support_downgrade = true;
  both.require_client_cert = true;
  both.ca_file = authority_.cert_file();
  both.enable_tls_v1_3 = false;  // as Apache Mesos: it refuses within the handshake
  serve(both);
  TlsOptions downgrading = options(agent_);
  downgrading.support_downgrade = true;
  TlsOptions unwelcome = options(stranger_.issue("intruder"));
  unwelcome.support_downgrade = true;
  Warnings warnings;
  run([&]() -> Task<void> {
    use(downgrading);
    co_await send("tls", true);
    EXPECT_THAT(warnings.all, IsEmpty());
    use(unwelcome);
    co_await send("plain", true);
    EXPECT_THAT(warnings.all, ElementsAre(HasSubstr("without TLS")));
  }());
}

TEST_F(SenderTlsTest, gives_up_a_handshake_that_takes_too_long) {
  listen();
  TlsOptions downgrading = options(agent_);
  downgrading.support_downgrade = true;
  sender_.emplace(Sender::Limits{.connect_timeout = 200ms});
  Warnings warnings;
  run([&]() -> Task<void> {
    use(options(agent_));
    sender_->link(peer(), count_exit_);
    const base::Fd silent = co_await accept();
    co_await eventually([&] { return exits_ == 1; });
    EXPECT_THAT(warnings.all, ElementsAre(HasSubstr("it takes too long")));
    use(downgrading);
    sender_->send(kSelf, peer(), "one", "");
    Peer first(co_await accept());
    Peer second(co_await accept());
    EXPECT_TRUE((co_await second.receive_until("\r\n\r\n")).starts_with("POST /master/one "));
    co_await first.receive_all();  // it was given up, not left open
  }());
}

TEST_F(SenderTlsTest, is_destroyed_amid_a_handshake) {
  listen();
  use(options(agent_));
  server_tls_ = make(options(master_));
  run([&]() -> Task<void> {
    sender_->link(peer(), count_exit_);
    const base::Fd silent = co_await accept();
    co_await base::sleep_for(20ms);
    sender_.emplace();
    sender_->dialer().use_tls(tls_.get());
    sender_->link(peer(), count_exit_);
    base::Stream stream(co_await accept());
    EXPECT_TRUE((co_await server_tls_->greet(stream)).has_value());
  }());
  EXPECT_EQ(exits_, 0);
}

TEST_F(SenderTlsTest, reloads) {
  TlsOptions demanding = options(master_);
  demanding.require_client_cert = true;
  demanding.ca_file = authority_.cert_file();
  serve(demanding);
  const IdentityFiles ours = stranger_.issue("ours");
  run([&]() -> Task<void> {
    use(options(ours));
    co_await send("before", false);
    authority_.issue("ours");
    co_await send("still before", false);
    EXPECT_TRUE(tls_->reload().has_value());
    co_await send("after", true);
  }());
}

}  // namespace
