#include "executors/checks/url.h"

#include <arpa/inet.h>

#include "base/strings.h"

namespace executors {

using base::concat;

namespace {

constexpr uint16_t kHttpPort = 80;
constexpr uint16_t kHttpsPort = 443;

// Host and port; false if they are none.
bool parse_authority(std::string_view text, Url* url) {
  if (const size_t at = text.rfind('@'); at != std::string_view::npos) text.remove_prefix(at + 1);
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    url->ipv6 = true;
    url->host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
  } else {
    const size_t end = text.find(':');
    url->host = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end);
  }
  if (url->host.empty()) return false;
  url->port = url->scheme == "https" ? kHttpsPort : kHttpPort;
  if (text.empty() || text == ":") return true;
  const auto port = base::parse_number<uint16_t>(text.substr(1));
  if (!text.starts_with(':') || !port) return false;
  url->port = *port;
  return true;
}

// What goes into a request: a fragment does not.
std::string_view without_fragment(std::string_view text) { return text.substr(0, text.find('#')); }

}  // namespace

std::string Url::authority() const {
  return ipv6 ? concat("[", host, "]:", port) : concat(host, ":", port);
}

std::string Url::text() const { return concat(scheme, "://", authority(), target); }

std::optional<Url> parse_url(std::string_view text) {
  const size_t colon = text.find("://");
  if (colon == std::string_view::npos) return std::nullopt;
  Url url;
  url.scheme = base::to_lower(text.substr(0, colon));
  if (url.scheme != "http" && url.scheme != "https") return std::nullopt;
  text = without_fragment(text.substr(colon + 3));
  const size_t end = text.find_first_of("/?");
  if (!parse_authority(text.substr(0, end), &url)) return std::nullopt;
  url.target = end == std::string_view::npos ? std::string_view() : text.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

std::optional<Url> resolve_location(const Url& base, std::string_view location) {
  location = without_fragment(base::trim(location));
  if (location.find("://") != std::string_view::npos && !location.starts_with('/') &&
      !location.starts_with('?')) {
    return parse_url(location);
  }
  if (location.starts_with("//")) return parse_url(concat(base.scheme, ":", location));
  Url url = base;
  const std::string path = base.target.substr(0, base.target.find('?'));
  if (location.starts_with('/')) {
    url.target = location;
  } else if (location.starts_with('?')) {
    url.target = concat(path, location);
  } else if (!location.empty()) {
    url.target = concat(path.substr(0, path.rfind('/') + 1), location);
  }
  return url;
}

std::optional<std::string> numeric_address(const Url& url) {
  if (base::equals_ignoring_case(url.host, "localhost")) return "127.0.0.1";
  in6_addr address{};
  if (inet_pton(url.ipv6 ? AF_INET6 : AF_INET, url.host.c_str(), &address) != 1) {
    return std::nullopt;
  }
  return url.host;
}

}  // namespace executors
