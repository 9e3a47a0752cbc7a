// Where a master is, as --master says it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace agent {

struct MasterAddress {
  std::string process = "master";
  std::string host;  // a name or a numeric IPv4 address
  uint16_t port = 0;
};

// Takes "host:port" and "master@host:port". kInvalid for the rest, and for
// zk://, which this build cannot ask.
base::Result<MasterAddress> parse_master_address(std::string_view text);

}  // namespace agent
