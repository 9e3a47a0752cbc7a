// How TLS is configured: the environment variables that Apache Mesos documents for libprocess.
//
//   LIBPROCESS_SSL_ENABLED, _SUPPORT_DOWNGRADE                true, 1, false or 0; both off
//   LIBPROCESS_SSL_KEY_FILE, _CERT_FILE                       PEM; a certificate's chain behind it
//   LIBPROCESS_SSL_CA_FILE, _CA_DIR                           by default OpenSSL's own
//   LIBPROCESS_SSL_REQUIRE_CLIENT_CERT, _VERIFY_SERVER_CERT   off; the first implies the second
//   LIBPROCESS_SSL_VERIFICATION_DEPTH                         4
//   LIBPROCESS_SSL_CIPHERS, _ECDH_CURVES                      lists, as OpenSSL takes them
//   LIBPROCESS_SSL_ENABLE_TLS_V1_2, _ENABLE_TLS_V1_3          on
//   LIBPROCESS_SSL_VERIFY_IPADD, _HOSTNAME_VALIDATION_SCHEME  about the names of servers
//
// docs/tls.md tells operators what they do. The older names that Mesos still takes are taken too:
// with SSL_ in front alone, REQUIRE_CERT, VERIFY_CERT, and VERIFY_DEPTH and ECDH_CURVE, which are
// in its documentation but not in its code.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace http {

struct TlsOptions {
  bool enabled = false;
  bool support_downgrade = false;
  std::string key_file;
  std::string cert_file;
  std::optional<std::string> ca_file;
  std::optional<std::string> ca_dir;
  bool require_client_cert = false;
  bool verify_server_cert = false;
  bool verify_ipadd = false;
  int verification_depth = 4;
  std::string ciphers;      // of TLS 1.2; those of TLS 1.3 are all good
  std::string ecdh_curves;  // "auto": OpenSSL's choice
  std::string hostname_validation_scheme;
  bool enable_tls_v1_2 = true;
  bool enable_tls_v1_3 = true;

  // Sentences for the log: what is deprecated, or does not do what it seems to.
  std::vector<std::string> warnings;
};

// What an environment (as the global `environ`) says. If TLS is not enabled nothing else is looked
// at. The error is a sentence that names the variable, its value and what was expected. Files are
// not looked at.
base::Result<TlsOptions> read_tls_options(const char* const* environment);

}  // namespace http
