// How connections to other libprocess programs are made: over TLS or not.
#pragma once

#include <chrono>
#include <map>
#include <string>

#include "base/result.h"
#include "base/stream.h"
#include "base/task.h"
#include "libprocess/remarks.h"
#include "libprocess/upid.h"

namespace http {
class Tls;
}

namespace libprocess {

class Dialer {
 public:
  // Connections that are made from here on speak TLS. With support_downgrade a peer with whom no
  // handshake succeeds, whatever the reason, is connected to again without, as by Apache Mesos; the
  // log says so. `tls` must outlive this; nullptr: no TLS.
  void use_tls(http::Tls* tls) { tls_ = tls; }

  // What the host with this address is called by who knows it, for the verification of its
  // certificate. Empty: known by the address only.
  void set_name(const Address& address, const std::string& name);

  // A stream that messages can be written to. `limit` is for connecting with the handshake, and
  // again for connecting without. The error says what has failed, and does not name the address.
  base::Task<base::Result<base::Stream>> connect(Address address, std::chrono::nanoseconds limit);

 private:
  base::Task<base::Result<base::Stream>> connect_plainly(Address address,
                                                         std::chrono::nanoseconds limit) const;

  http::Tls* tls_ = nullptr;
  std::map<Address, std::string> names_;
  Remarks downgrades_;
};

}  // namespace libprocess
