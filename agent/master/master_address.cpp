#include "agent/master/master_address.h"

#include <algorithm>

#include "agent/master/zookeeper/url.h"
#include "base/strings.h"

namespace agent {

using base::ErrorKind;
using base::fail;

base::Result<MasterAddress> parse_master_address(std::string_view text) {
  const auto malformed =
      fail(ErrorKind::kInvalid, "expected host:port, master@host:port, zk://... or file:///path");
  MasterAddress address;
  if (const size_t at = text.find('@'); at != std::string_view::npos) {
    address.process = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return malformed;
  address.host = text.substr(0, colon);
  const auto port = base::parse_number<uint16_t>(text.substr(colon + 1));
  const auto is_plain = [](std::string_view word) {
    return !word.empty() &&
           std::ranges::all_of(word, [](char c) { return c > ' ' && c < '\x7F' && c != '/'; });
  };
  if (!port || *port == 0 || !is_plain(address.host) || !is_plain(address.process)) {
    return malformed;
  }
  address.port = *port;
  return address;
}

base::Status check_master(std::string_view text) {
  constexpr std::string_view kFile = "file://";
  if (is_zookeeper_url(text)) {
    TRY_VOID(parse_zookeeper_url(text));
  } else if (!text.starts_with(kFile)) {
    TRY_VOID(parse_master_address(text));
  } else if (!text.substr(kFile.size()).starts_with('/')) {
    return fail(ErrorKind::kInvalid, "expected an absolute path after file://");
  }
  return {};
}

}  // namespace agent
