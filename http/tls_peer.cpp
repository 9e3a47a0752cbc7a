#include "http/tls_peer.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <utility>
#include <vector>

#include "base/resolver.h"
#include "base/strings.h"

namespace http {

namespace {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Task;

// Also if there are alternative names the common name counts: Apache Mesos takes either.
bool is_for(X509* certificate, const std::string& name) {
  constexpr unsigned kFlags =
      X509_CHECK_FLAG_ALWAYS_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;
  return X509_check_host(certificate, name.data(), name.size(), kFlags, nullptr) == 1;
}

bool is_for_address(X509* certificate, const std::string& ip) {
  return X509_check_ip_asc(certificate, ip.c_str(), 0) == 1;
}

// The first name that the resolver has for it; the address itself if there is none. Blocks.
std::string look_up_name(const std::string& ip) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (inet_pton(AF_INET, ip.c_str(), &address.sin_addr) != 1) return ip;
  char name[NI_MAXHOST];
  const int failed = getnameinfo(reinterpret_cast<const sockaddr*>(&address), sizeof(address), name,
                                 sizeof(name), nullptr, 0, NI_NAMEREQD);
  return failed != 0 ? ip : name;
}

std::string join(const std::vector<std::string>& names) {
  std::string all;
  for (const std::string& name : names) all += all.empty() ? name : concat(" or ", name);
  return all;
}

std::string subject_of(X509* certificate) {
  char text[256];
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName,
                                             text, sizeof(text));
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : "(no name)";
}

}  // namespace

Task<base::Status> check_peer_name(SSL* ssl, const TlsOptions& options, TlsPeer peer) {
  X509* certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) co_return fail(ErrorKind::kForbidden, "the peer has no certificate");
  std::vector<std::string> expected;
  if (!peer.name.empty()) {
    if (is_for(certificate, peer.name)) co_return {};
    expected.push_back(concat("'", peer.name, "'"));
  }
  if (options.verify_ipadd) {
    if (is_for_address(certificate, peer.ip)) co_return {};
    expected.push_back(concat("the address ", peer.ip));
  }
  if (options.hostname_validation_scheme == "legacy") {
    const auto name = co_await base::ask_resolver(concat("the name of ", peer.ip),
                                                  [ip = peer.ip] { return look_up_name(ip); });
    if (!name) {
      co_return fail(ErrorKind::kClosed, concat("the name of ", peer.ip,
                                                " cannot be looked up: ", name.error().message));
    }
    if (is_for(certificate, *name)) co_return {};
    expected.push_back(concat("'", *name, "'"));
  }
  if (expected.empty()) {
    co_return fail(ErrorKind::kForbidden,
                   concat("no name of ", peer.ip,
                          " is known that its certificate could be for: set "
                          "LIBPROCESS_SSL_VERIFY_IPADD, if certificates have addresses in them"));
  }
  co_return fail(ErrorKind::kForbidden, concat("the certificate of '", subject_of(certificate),
                                               "' is not for ", join(expected)));
}

}  // namespace http
