#include "agent/master/zookeeper/url.h"

#include <algorithm>

#include "base/strings.h"

namespace agent {

using base::concat;

namespace {

constexpr std::string_view kScheme = "zk://";

bool is_plain(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c > ' ' && c < '\x7F'; });
}

bool is_server(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || !is_plain(text.substr(0, colon))) return false;
  return base::parse_number<uint16_t>(text.substr(colon + 1)).value_or(0) > 0;
}

// What ZooKeeper takes for the name of a node (its Programmer's Guide, "Data Model").
bool is_node(std::string_view name) { return is_plain(name) && name != "." && name != ".."; }

}  // namespace

base::Result<ZooKeeperUrl> parse_zookeeper_url(std::string_view text) {
  const auto malformed = base::fail(base::ErrorKind::kInvalid,
                                    "expected zk://host:port,host:port/path or "
                                    "zk://user:password@host:port/path, with a path that is not /");
  if (!is_zookeeper_url(text)) return malformed;
  text.remove_prefix(kScheme.size());
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return malformed;
  std::string_view path = text.substr(slash);
  std::string_view servers = text.substr(0, slash);

  ZooKeeperUrl url;
  if (const size_t at = servers.rfind('@'); at != std::string_view::npos) {
    url.credentials = servers.substr(0, at);
    servers.remove_prefix(at + 1);
    const size_t colon = url.credentials.find(':');
    if (colon == 0 || colon == std::string::npos) return malformed;
  }
  const auto hosts = base::split(servers, ',');
  if (hosts.empty() || !std::ranges::all_of(hosts, is_server)) return malformed;
  url.servers = servers;

  while (path.ends_with('/')) path.remove_suffix(1);
  if (path.empty() || !std::ranges::all_of(base::split(path.substr(1), '/'), is_node)) {
    return malformed;
  }
  url.path = path;
  return url;
}

std::string hide_password(std::string_view text) {
  const size_t scheme = text.find(kScheme);
  const size_t at = text.rfind('@');
  if (scheme == std::string_view::npos || at == std::string_view::npos || at < scheme) {
    return std::string(text);
  }
  const size_t user = scheme + kScheme.size();
  // Up to the last "@", and without a colon all: what is malformed may be the password anywhere.
  const size_t colon = text.substr(0, at).find(':', user);
  const size_t secret = colon == std::string_view::npos ? user : colon + 1;
  return concat(text.substr(0, secret), "***", text.substr(at));
}

}  // namespace agent
