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

// Takes "host:port" and "master@host:port"; kInvalid for the rest. zk:// is for
// agent/master/zookeeper/url.h.
base::Result<MasterAddress> parse_master_address(std::string_view text);

// Whether --master can be meant by that: one of these, zk://, or file:// with an absolute path,
// which is not read. kInvalid says what was expected.
base::Status check_master(std::string_view text);

}  // namespace agent
