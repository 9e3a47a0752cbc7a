// Names of libprocess processes: whom a message is for, and who has sent it.
#pragma once

#include <netinet/in.h>

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace libprocess {

// Where a libprocess program listens. There is no IPv6 among them.
struct Address {
  uint32_t ip = 0;  // in host byte order
  uint16_t port = 0;

  std::string ip_text() const;    // "10.0.0.7"
  std::string to_string() const;  // "10.0.0.7:5051"
  auto operator<=>(const Address&) const = default;
};

// "10.0.0.7" as a number in host byte order. kInvalid if it is not a numeric IPv4 address.
base::Result<uint32_t> parse_ip(std::string_view text);

// "slave(1)@10.0.0.7:5051": a process at an address.
struct Upid {
  std::string id;
  uint32_t ip = 0;  // in host byte order
  uint16_t port = 0;

  // Takes blanks around it off. "" and "@0.0.0.0:0", with which senders say that there is nobody,
  // give the empty Upid. kInvalid for all that is not an id, a numeric IPv4 address and a port:
  // names are not resolved, for that blocks.
  static base::Result<Upid> parse(std::string_view text);

  std::string to_string() const;
  Address address() const { return {ip, port}; }
  bool empty() const { return id.empty() && ip == 0 && port == 0; }

  auto operator<=>(const Upid&) const = default;
};

}  // namespace libprocess
