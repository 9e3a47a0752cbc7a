#include "http/hmac.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <string>

namespace http {

Sha256Mac hmac_sha256(std::string_view key, std::string_view data) {
  // OpenSSL takes no key without bytes; HMAC pads keys with zeros, so that one zero is the same.
  const std::string_view used = key.empty() ? std::string_view("\0", 1) : key;
  Sha256Mac mac{};
  size_t size = 0;
  if (EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA256", nullptr, used.data(), used.size(),
                reinterpret_cast<const unsigned char*>(data.data()), data.size(), mac.data(),
                mac.size(), &size) == nullptr ||
      size != mac.size()) {
    // Only without memory, or without a library that knows SHA-256. There is no safe answer then.
    std::abort();
  }
  return mac;
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string random_bytes(size_t count) {
  std::string bytes(count, '\0');
  if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(count)) != 1) {
    std::abort();
  }
  return bytes;
}

}  // namespace http
