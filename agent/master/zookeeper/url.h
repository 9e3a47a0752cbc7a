// zk://[user:password@]host:port,host:port/path: where masters say who of them leads.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace agent {

struct ZooKeeperUrl {
  std::string servers;      // "host:port,host:port"
  std::string credentials;  // "user:password"; empty: none
  std::string path;         // of the masters' group; begins with a slash and does not end with one
};

inline bool is_zookeeper_url(std::string_view text) { return text.starts_with("zk://"); }

// kInvalid, in words that do not quote the text, for all else. The root is nobody's group, as in
// Apache Mesos.
base::Result<ZooKeeperUrl> parse_zookeeper_url(std::string_view text);

// `text` with three asterisks for the password of a zk:// URL in it, also of one that cannot be
// parsed: for all that people are shown.
std::string hide_password(std::string_view text);

}  // namespace agent
