// Whether a server is the one that was meant: what its certificate says about its name.
#pragma once

#include <openssl/ssl.h>

#include <string>

#include "base/result.h"
#include "base/task.h"
#include "http/tls_options.h"

namespace http {

// Whom a connection goes to.
struct TlsPeer {
  std::string ip;    // numeric
  std::string name;  // of its host, as who asks for it says; empty: known by its address only
};

// After a handshake with a server whose certificate an authority has signed. It must be for the
// peer's name; or, with verify_ipadd, for its address; or, with the legacy scheme, for what the
// resolver calls that address, which it is asked aside (base/resolver.h). kForbidden, with a
// sentence that names both sides, if it is for somebody else; kClosed if the resolver has too much
// to do to be asked.
base::Task<base::Status> check_peer_name(SSL* ssl, const TlsOptions& options, TlsPeer peer);

}  // namespace http
