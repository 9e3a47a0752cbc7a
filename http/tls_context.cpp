#include "http/tls_context.h"

#include <openssl/err.h>

#include "base/strings.h"

namespace http {

namespace {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Status;

Status failed(std::string_view what) { return fail(ErrorKind::kInvalid, ssl_error_text(what)); }

// OpenSSL would ask at the terminal for the password of an encrypted key.
int no_password(char*, int, int, void*) { return 0; }

Status set_versions(SSL_CTX* context, const TlsOptions& options) {
  const int lowest = options.enable_tls_v1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
  const int highest = options.enable_tls_v1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
  if (SSL_CTX_set_min_proto_version(context, lowest) != 1 ||
      SSL_CTX_set_max_proto_version(context, highest) != 1) {
    return failed("Failed to set the versions of TLS");
  }
  return {};
}

Status set_algorithms(SSL_CTX* context, const TlsOptions& options) {
  if (SSL_CTX_set_cipher_list(context, options.ciphers.c_str()) != 1) {
    return failed(concat("LIBPROCESS_SSL_CIPHERS=", options.ciphers));
  }
  if (options.ecdh_curves != "auto" &&
      SSL_CTX_set1_groups_list(context, options.ecdh_curves.c_str()) != 1) {
    return failed(concat("LIBPROCESS_SSL_ECDH_CURVES=", options.ecdh_curves));
  }
  SSL_CTX_set_dh_auto(context, 1);
  return {};
}

Status load_identity(SSL_CTX* context, const TlsOptions& options) {
  if (SSL_CTX_use_certificate_chain_file(context, options.cert_file.c_str()) != 1) {
    return failed(concat("LIBPROCESS_SSL_CERT_FILE=", options.cert_file));
  }
  if (SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    return failed(concat("LIBPROCESS_SSL_KEY_FILE=", options.key_file));
  }
  if (SSL_CTX_check_private_key(context) != 1) {
    return failed(concat("The key in '", options.key_file, "' is not that of the certificate in '",
                         options.cert_file, "'"));
  }
  return {};
}

Status load_authorities(SSL_CTX* context, const TlsOptions& options) {
  if (!options.ca_file && !options.ca_dir) {
    if (SSL_CTX_set_default_verify_paths(context) != 1) {
      return failed("Failed to load the default certificate authorities");
    }
    return {};
  }
  if (options.ca_file && SSL_CTX_load_verify_file(context, options.ca_file->c_str()) != 1) {
    return failed(concat("LIBPROCESS_SSL_CA_FILE=", *options.ca_file));
  }
  if (options.ca_dir && SSL_CTX_load_verify_dir(context, options.ca_dir->c_str()) != 1) {
    return failed(concat("LIBPROCESS_SSL_CA_DIR=", *options.ca_dir));
  }
  return {};
}

// Clients are told the names of the authorities of CA_FILE, so that those who have several
// certificates can choose.
Status name_authorities(SSL_CTX* context, const TlsOptions& options) {
  if (!options.ca_file) return {};
  STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.ca_file->c_str());
  if (names == nullptr) return failed(concat("LIBPROCESS_SSL_CA_FILE=", *options.ca_file));
  SSL_CTX_set_client_CA_list(context, names);
  return {};
}

void set_behaviour(SSL_CTX* context) {
  // Sessions are not resumed: a client would be let in by what was checked before the certificates
  // were changed. Without tickets the server also sends nothing unasked, which a client that has
  // gone already would answer with a reset.
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context, 0);
  // The end of the connection without close_notify, as many clients make it, is an end like any
  // other: what it could cut short, a request, says itself where it ends.
  SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_IGNORE_UNEXPECTED_EOF);
  // A write that could not be finished is tried again with the same bytes, but not necessarily from
  // the same place. Buffers are given back when they are empty: idle connections have none.
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_RELEASE_BUFFERS);
  // One read takes what there is of several records, instead of two reads for each.
  constexpr size_t kReadAhead = size_t{64} * 1024;
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_default_read_buffer_len(context, kReadAhead);
}

base::Result<SslContext> make_context(const SSL_METHOD* method, const TlsOptions& options) {
  ERR_clear_error();
  SslContext context(SSL_CTX_new(method));
  if (!context) return fail(ssl_error_text("SSL_CTX_new"));
  set_behaviour(context.get());
  SSL_CTX_set_default_passwd_cb(context.get(), no_password);
  TRY_VOID(set_versions(context.get(), options));
  TRY_VOID(set_algorithms(context.get(), options));
  TRY_VOID(load_identity(context.get(), options));
  SSL_CTX_set_verify_depth(context.get(), options.verification_depth);
  return context;
}

}  // namespace

std::string ssl_error_text(std::string_view what) {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return std::string(what);
  if (ERR_SYSTEM_ERROR(code)) return concat(what, ": ", std::strerror(ERR_GET_REASON(code)));
  const char* reason = ERR_reason_error_string(code);
  return concat(what, ": ", reason != nullptr ? reason : "unknown error of OpenSSL");
}

base::Result<SslContext> make_server_context(const TlsOptions& options) {
  TRY(SslContext context, make_context(TLS_server_method(), options));
  if (options.require_client_cert) {
    TRY_VOID(load_authorities(context.get(), options));
    TRY_VOID(name_authorities(context.get(), options));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }
  return context;
}

base::Result<SslContext> make_client_context(const TlsOptions& options) {
  TRY(SslContext context, make_context(TLS_client_method(), options));
  if (options.verify_server_cert) {
    TRY_VOID(load_authorities(context.get(), options));
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  return context;
}

}  // namespace http
