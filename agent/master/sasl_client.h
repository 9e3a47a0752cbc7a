// CRAM-MD5 by Cyrus SASL, the client's side.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "agent/master/credential.h"
#include "base/result.h"

struct sasl_conn;

namespace agent {

// One conversation in which a principal proves that it knows its secret: start(), and step() for
// each challenge.
class SaslClient {
 public:
  // Whether the library can do it at all; kUnsupported without CRAM-MD5.
  static base::Status check();

  // The library asks the resolver for the name of this host, so this blocks; for seconds, where
  // there is no resolver. On any thread, and in an agent on one of base/resolver.h.
  static base::Result<std::unique_ptr<SaslClient>> make(Credential credential);
  SaslClient(const SaslClient&) = delete;
  SaslClient& operator=(const SaslClient&) = delete;
  ~SaslClient();

  const std::string& principal() const { return credential_.principal; }

  struct Start {
    std::string mechanism;
    std::string data;  // empty: none
  };
  // Chooses one of the mechanisms that the other side offers. kUnsupported if there is none that
  // both know.
  base::Result<Start> start(std::span<const std::string> mechanisms);

  // The answer to a challenge.
  base::Result<std::string> step(std::string_view challenge);

 private:
  struct Callbacks;

  explicit SaslClient(Credential credential);
  base::Error error(std::string_view what, int code) const;

  const Credential credential_;
  std::unique_ptr<Callbacks> callbacks_;
  sasl_conn* connection_ = nullptr;
};

}  // namespace agent
