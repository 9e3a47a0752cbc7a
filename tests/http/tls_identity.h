// Certificates for tests, made as they are needed.
#pragma once

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

namespace http_test {

struct PkeyDeleter {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct X509Deleter {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using Pkey = std::unique_ptr<EVP_PKEY, PkeyDeleter>;
using Certificate = std::unique_ptr<X509, X509Deleter>;

// Files that the agent reads.
struct IdentityFiles {
  std::string key;
  std::string cert;
};

// An authority whose own certificate is in a file, and that signs others.
class Authority {
 public:
  // Its files are in `directory`, beside those of its other certificates.
  Authority(std::string directory, const std::string& name)
      : directory_(std::move(directory)), key_(EVP_EC_gen("P-256")) {
    certificate_ = make(name, key_.get(), "", true);
    cert_file_ = directory_ + "/" + name + ".pem";
    write(cert_file_, certificate_.get());
  }

  const std::string& cert_file() const { return cert_file_; }

  // A certificate with that common name and alternative names ("DNS:a,IP:127.0.0.1"; none if it is
  // empty). The same name again replaces the files.
  IdentityFiles issue(const std::string& name, const std::string& alternatives = "") const {
    const Pkey key(EVP_EC_gen("P-256"));
    const Certificate certificate = make(name, key.get(), alternatives, false);
    IdentityFiles files{directory_ + "/" + name + ".key", directory_ + "/" + name + ".cert"};
    write(files.cert, certificate.get());
    std::FILE* file = std::fopen(files.key.c_str(), "w");
    EXPECT_EQ(PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
    std::fclose(file);
    return files;
  }

 private:
  Certificate make(const std::string& name, EVP_PKEY* key, const std::string& alternatives,
                   bool is_authority) const {
    Certificate made(X509_new());
    X509* cert = made.get();
    X509_set_version(cert, X509_VERSION_3);
    static long serial = 0;
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME* subject = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509* issuer = certificate_ == nullptr ? cert : certificate_.get();
    X509_set_issuer_name(cert, X509_get_subject_name(issuer));
    add(cert, NID_basic_constraints, is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!alternatives.empty()) add(cert, NID_subject_alt_name, alternatives);
    EXPECT_GT(X509_sign(cert, key_.get(), EVP_sha256()), 0);
    return made;
  }

  static void add(X509* cert, int what, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, what, value.c_str());
    EXPECT_NE(extension, nullptr) << value;
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static void write(const std::string& path, X509* certificate) {
    std::FILE* file = std::fopen(path.c_str(), "w");
    EXPECT_EQ(PEM_write_X509(file, certificate), 1);
    std::fclose(file);
  }

  std::string directory_;
  Pkey key_;
  Certificate certificate_;
  std::string cert_file_;
};

}  // namespace http_test
