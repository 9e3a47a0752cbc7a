#include "http/tls.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "http/server.h"
#include "tests/base/scratch_loop_test.h"
#include "tests/http/support.h"
#include "tests/http/tls_identity.h"

namespace http_test {
namespace {

using testing::HasSubstr;

// A client that blocks, for a thread of its own.
class BlockingClient {
 public:
  explicit BlockingClient(base::Fd fd)
      : fd_(std::move(fd)), context_(SSL_CTX_new(TLS_client_method())), ssl_(SSL_new(context_)) {
    fcntl(fd_.get(), F_SETFL, 0);
    SSL_set_fd(ssl_, fd_.get());
  }
  BlockingClient(const BlockingClient&) = delete;
  BlockingClient& operator=(const BlockingClient&) = delete;
  ~BlockingClient() {
    SSL_free(ssl_);
    SSL_CTX_free(context_);
  }

  SSL* ssl() { return ssl_; }
  bool connect() { return SSL_connect(ssl_) == 1; }
  bool send(std::string_view text) {
    return SSL_write(ssl_, text.data(), static_cast<int>(text.size())) > 0;
  }
  // What there is until the end, or an error.
  std::string receive_all() {
    std::string all;
    char bytes[4096];
    for (int n = 0; (n = SSL_read(ssl_, bytes, sizeof(bytes))) > 0;) all.append(bytes, n);
    return all;
  }

 private:
  base::Fd fd_;
  SSL_CTX* context_;
  SSL* ssl_;
};

class TlsTest : public tests::ScratchLoopTest {
 protected:
  TlsTest() {
    http::TlsOptions options;
    const IdentityFiles files = authority_.issue("server");
    options.key_file = files.key;
    options.cert_file = files.cert;
    options.ciphers = "HIGH";
    options.ecdh_curves = "auto";
    auto made =
        http::Tls::make(options, [this](const std::string& what) { reports_.push_back(what); });
    if (!made) ADD_FAILURE() << made.error().message;
    tls_ = *std::move(made);
    greeting_ = [this](base::Stream& stream) { return tls_->greet(stream); };
  }

  // Serves one connection beside a client.
  void run_with(void (*talk)(BlockingClient& client)) {
    auto [ours, theirs] = make_socketpair();
    std::thread client([talk, fd = std::move(theirs)]() mutable {
      BlockingClient blocking(std::move(fd));
      talk(blocking);
    });
    run(server_.serve_connection(std::move(ours), &greeting_));
    client.join();
  }

  Authority authority_{scratch_.path(), "authority"};
  std::vector<std::string> reports_;
  std::unique_ptr<http::Tls> tls_;
  http::Greeting greeting_;
  http::Server server_{[](http::Request& request, http::ResponseWriter& writer) -> Task<void> {
    auto body = co_await http::read_all(request.body, 1 << 20);
    (void)co_await writer.send({200, {}, body ? *body : body.error().message});
  }};
};

constexpr std::string_view kHead = "POST / HTTP/1.1\r\nConnection: close\r\nContent-Length: ";

TEST_F(TlsTest, requests_are_answered) {
  run_with([](BlockingClient& client) {
    ASSERT_TRUE(client.connect());
    EXPECT_TRUE(client.send(std::string(kHead) + "5\r\n\r\nhello"));
    EXPECT_THAT(client.receive_all(), HasSubstr("hello"));
    EXPECT_EQ(SSL_get_shutdown(client.ssl()), SSL_RECEIVED_SHUTDOWN);
  });
  EXPECT_TRUE(reports_.empty());
}

TEST_F(TlsTest, new_keys_amid_a_request_change_nothing) {
  run_with([](BlockingClient& client) {
    ASSERT_TRUE(client.connect());
    EXPECT_TRUE(client.send(std::string(kHead) + "500\r\n\r\n"));
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(SSL_key_update(client.ssl(), i % 2 == 0 ? SSL_KEY_UPDATE_REQUESTED
                                                        : SSL_KEY_UPDATE_NOT_REQUESTED),
                1);
      EXPECT_TRUE(client.send("0123456789"));
    }
    EXPECT_THAT(client.receive_all(), HasSubstr("0123456789012345678901234567890123456789"));
  });
}

TEST_F(TlsTest, who_only_makes_new_keys_is_cut_off) {
  run_with([](BlockingClient& client) {
    ASSERT_TRUE(client.connect());
    // Made beforehand, so that they come faster than they can be taken.
    BIO* memory = BIO_new(BIO_s_mem());
    BIO* wire = SSL_get_wbio(client.ssl());
    BIO_up_ref(wire);
    SSL_set0_wbio(client.ssl(), memory);
    constexpr long kEnough = 1024L * 1024;
    while (BIO_pending(memory) < kEnough) {
      ASSERT_EQ(SSL_key_update(client.ssl(), SSL_KEY_UPDATE_NOT_REQUESTED), 1);
      ASSERT_EQ(SSL_do_handshake(client.ssl()), 1);
    }
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(memory, &bytes);
    long sent = 0;
    while (sent < size) {
      const ssize_t n = write(SSL_get_rfd(client.ssl()), bytes + sent, size - sent);
      if (n <= 0) break;
      sent += n;
    }
    BIO_free(wire);
    EXPECT_EQ(client.receive_all(), "");
  });
}

TEST_F(TlsTest, a_reload_that_fails_changes_nothing) {
  std::remove((scratch_ / "server.cert").c_str());
  const auto reloaded = tls_->reload();
  ASSERT_FALSE(reloaded.has_value());
  EXPECT_THAT(reloaded.error().message, HasSubstr("/server.cert: No such file or directory"));
  run_with([](BlockingClient& client) { EXPECT_TRUE(client.connect()); });
}

}  // namespace
}  // namespace http_test
