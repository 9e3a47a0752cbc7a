#include "http/tls_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace http {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// As the global `environ` is.
class Environment {
 public:
  explicit Environment(std::vector<std::string> entries) : entries_(std::move(entries)) {
    for (const std::string& entry : entries_) pointers_.push_back(entry.c_str());
    pointers_.push_back(nullptr);
  }
  const char* const* get() const { return pointers_.data(); }

 private:
  std::vector<std::string> entries_;
  std::vector<const char*> pointers_;
};

// TLS switched on with a key and a certificate, and further variables without LIBPROCESS_SSL_.
base::Result<TlsOptions> read(std::vector<std::string> more = {}) {
  for (std::string& entry : more) entry.insert(0, "LIBPROCESS_SSL_");
  more.insert(more.begin(), {"HOME=/root", "LIBPROCESS_SSL_ENABLED=1", "LIBPROCESS_SSL_KEY_FILE=/k",
                             "LIBPROCESS_SSL_CERT_FILE=/c"});
  return read_tls_options(Environment(std::move(more)).get());
}

std::string error_of(std::vector<std::string> more) {
  auto options = read(std::move(more));
  return options ? "(none)" : options.error().message;
}

TEST(TlsOptions, off_unless_switched_on) {
  EXPECT_FALSE(read_tls_options(nullptr)->enabled);
  EXPECT_FALSE(read_tls_options(Environment({}).get())->enabled);
  for (const char* off : {"LIBPROCESS_SSL_ENABLED=0", "LIBPROCESS_SSL_ENABLED=false"}) {
    const auto options =
        read_tls_options(Environment({"LIBPROCESS_SSL_CIPHERS=", "LIBPROCESS_SSL_NO_SUCH=1",
                                      "LIBPROCESS_SSL_SUPPORT_DOWNGRADE=perhaps", off})
                             .get());
    ASSERT_TRUE(options.has_value()) << options.error().message;
    EXPECT_FALSE(options->enabled);
    EXPECT_THAT(options->warnings, IsEmpty());
  }
}

TEST(TlsOptions, defaults) {
  const auto options = read();
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_TRUE(options->enabled);
  EXPECT_EQ(options->key_file, "/k");
  EXPECT_EQ(options->cert_file, "/c");
  EXPECT_FALSE(options->support_downgrade);
  EXPECT_FALSE(options->require_client_cert);
  EXPECT_FALSE(options->verify_server_cert);
  EXPECT_EQ(options->ca_file, std::nullopt);
  EXPECT_EQ(options->ca_dir, std::nullopt);
  EXPECT_EQ(options->verification_depth, 4);
  EXPECT_EQ(options->ecdh_curves, "auto");
  EXPECT_TRUE(options->enable_tls_v1_2);
  EXPECT_TRUE(options->enable_tls_v1_3);
  EXPECT_THAT(options->warnings, IsEmpty());
}

TEST(TlsOptions, every_variable) {
  const auto options =
      read({"SUPPORT_DOWNGRADE=false", "CA_FILE=/f", "CA_DIR=/d", "REQUIRE_CLIENT_CERT=0",
            "VERIFY_SERVER_CERT=true", "VERIFY_IPADD=1", "VERIFICATION_DEPTH=0", "CIPHERS=A:B=C",
            "ECDH_CURVES=P-256", "HOSTNAME_VALIDATION_SCHEME=openssl", "ENABLE_SSL_V3=false",
            "ENABLE_TLS_V1_0=0", "ENABLE_TLS_V1_1=0", "ENABLE_TLS_V1_2=1", "ENABLE_TLS_V1_3=0"});
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->ca_file, "/f");
  EXPECT_EQ(options->ca_dir, "/d");
  EXPECT_TRUE(options->verify_server_cert);
  EXPECT_TRUE(options->verify_ipadd);
  EXPECT_EQ(options->verification_depth, 0);
  EXPECT_EQ(options->ciphers, "A:B=C");
  EXPECT_EQ(options->ecdh_curves, "P-256");
  EXPECT_EQ(options->hostname_validation_scheme, "openssl");
  EXPECT_FALSE(options->enable_tls_v1_3);
  EXPECT_THAT(options->warnings, IsEmpty());
}

TEST(TlsOptions, errors_name_the_variable_and_its_value) {
  for (const auto& [entry, expected] : std::vector<std::pair<std::string, std::string>>{
           {"SUPPORT_DOWNGRADE=yes", "SUPPORT_DOWNGRADE=yes: expected true, 1, false or 0"},
           {"VERIFICATION_DEPTH=-1", "VERIFICATION_DEPTH=-1: expected an integer from 0 to 100"},
           {"VERIFICATION_DEPTH=many", "VERIFICATION_DEPTH=many: expected an integer"},
           {"CA_FILE=", "CA_FILE=: expected something"},
           {"HOSTNAME_VALIDATION_SCHEME=none", "HOSTNAME_VALIDATION_SCHEME=none: expected legacy"},
           {"ENABLE_SSL_V3=1", "ENABLE_SSL_V3=1: the oldest version that this agent speaks"},
           {"ENABLE_TLS_V1_0=true", "ENABLE_TLS_V1_0=true: the oldest version"},
           {"ENABLE_TLS_V1_1=1", "ENABLE_TLS_V1_1=1: the oldest version"},
           {"ENABLE_TLS_V1_1=2", "ENABLE_TLS_V1_1=2: expected true, 1, false or 0"},
       }) {
    EXPECT_THAT(error_of({entry}), HasSubstr("LIBPROCESS_SSL_" + expected));
  }
  EXPECT_THAT(error_of({"ENABLE_TLS_V1_2=0", "ENABLE_TLS_V1_3=0"}), HasSubstr("no version"));
  const auto bad = read_tls_options(Environment({"LIBPROCESS_SSL_ENABLED=on"}).get());
  ASSERT_FALSE(bad.has_value());
  EXPECT_THAT(bad.error().message, HasSubstr("LIBPROCESS_SSL_ENABLED=on"));
}

TEST(TlsOptions, key_and_certificate_are_needed) {
  auto options = read_tls_options(Environment({"LIBPROCESS_SSL_ENABLED=1"}).get());
  ASSERT_FALSE(options.has_value());
  EXPECT_THAT(options.error().message, HasSubstr("LIBPROCESS_SSL_KEY_FILE must name"));
  options = read_tls_options(
      Environment({"LIBPROCESS_SSL_ENABLED=1", "LIBPROCESS_SSL_KEY_FILE=/k"}).get());
  ASSERT_FALSE(options.has_value());
  EXPECT_THAT(options.error().message, HasSubstr("LIBPROCESS_SSL_CERT_FILE must name"));
}

TEST(TlsOptions, a_required_certificate_is_verified) {
  EXPECT_TRUE(read({"REQUIRE_CLIENT_CERT=1", "CA_FILE=/f"})->verify_server_cert);
  EXPECT_TRUE(read({"REQUIRE_CLIENT_CERT=1", "CA_DIR=/d"})->verify_server_cert);
}

TEST(TlsOptions, a_required_certificate_is_not_one_of_just_any_authority) {
  const auto options = read({"REQUIRE_CLIENT_CERT=1"});
  ASSERT_FALSE(options.has_value());
  EXPECT_THAT(options.error().message, HasSubstr("CA_FILE or LIBPROCESS_SSL_CA_DIR must name"));
}

TEST(TlsOptions, downgrade_is_warned_of) {
  EXPECT_THAT(read({"SUPPORT_DOWNGRADE=1"})->warnings,
              ElementsAre(HasSubstr("connections without TLS are served too")));
  EXPECT_THAT(read({"SUPPORT_DOWNGRADE=1", "REQUIRE_CLIENT_CERT=1", "CA_FILE=/f"})->warnings,
              ElementsAre(HasSubstr("REQUIRE_CLIENT_CERT"), HasSubstr("spoken to without TLS")));
}

TEST(TlsOptions, what_can_be_verified_of_nobody_is_warned_of) {
  EXPECT_THAT(read({"VERIFY_SERVER_CERT=1"})->warnings, IsEmpty());
  EXPECT_THAT(read({"HOSTNAME_VALIDATION_SCHEME=openssl"})->warnings, IsEmpty());
  EXPECT_THAT(read({"VERIFY_SERVER_CERT=1", "HOSTNAME_VALIDATION_SCHEME=openssl"})->warnings,
              ElementsAre(HasSubstr("VERIFY_IPADD")));
}

TEST(TlsOptions, old_names_count_with_a_warning) {
  const auto options =
      read({"REQUIRE_CERT=1", "VERIFY_CERT=1", "VERIFY_DEPTH=2", "ECDH_CURVE=P-384", "CA_DIR=/d"});
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_TRUE(options->require_client_cert);
  EXPECT_EQ(options->verification_depth, 2);
  EXPECT_EQ(options->ecdh_curves, "P-384");
  EXPECT_EQ(options->warnings.size(), 4u);
}

TEST(TlsOptions, of_old_and_new_name_the_new_counts) {
  const auto options = read({"VERIFY_DEPTH=2", "VERIFICATION_DEPTH=3"});
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_EQ(options->verification_depth, 3);
  EXPECT_THAT(options->warnings, ElementsAre(HasSubstr("whose value counts")));
}

TEST(TlsOptions, old_prefix) {
  const auto options =
      read_tls_options(Environment({"SSL_ENABLED=1", "SSL_KEY_FILE=/old", "SSL_CERT_FILE=/cert",
                                    "LIBPROCESS_SSL_KEY_FILE=/new", "SSL_REQUIRE_CERT=true",
                                    "LIBPROCESS_SSL_CA_DIR=/authorities",
                                    "LIBPROCESS_SSL_CERT_FILE=/cert", "SSL_CERT_DIR=/ours/not"})
                           .get());
  ASSERT_TRUE(options.has_value()) << options.error().message;
  EXPECT_TRUE(options->enabled);
  EXPECT_TRUE(options->require_client_cert);
  EXPECT_EQ(options->key_file, "/new");
  EXPECT_THAT(options->warnings,
              ElementsAre(HasSubstr("SSL_ENABLED is deprecated"),
                          HasSubstr("SSL_KEY_FILE and LIBPROCESS_SSL_KEY_FILE have different"),
                          HasSubstr("SSL_REQUIRE_CERT is deprecated"),
                          HasSubstr("LIBPROCESS_SSL_REQUIRE_CERT is deprecated")));
}

TEST(TlsOptions, unknown_variables_are_named) {
  EXPECT_THAT(read({"ENABLE_DOWNGRADE=1"})->warnings,
              ElementsAre(HasSubstr("no variable LIBPROCESS_SSL_ENABLE_DOWNGRADE")));
}

}  // namespace
}  // namespace http
