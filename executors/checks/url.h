// URLs, as far as checks need them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace executors {

struct Url {
  std::string scheme;  // in lower case
  std::string host;    // an IPv6 address without its brackets
  bool ipv6 = false;
  uint16_t port = 80;
  std::string target;  // path and query, begins with '/'

  std::string authority() const;  // "host:port", "[::1]:80"
  std::string text() const;
};

// Nothing for what is no absolute http or https URL.
std::optional<Url> parse_url(std::string_view text);

// What a Location header means, seen from `base`.
std::optional<Url> resolve_location(const Url& base, std::string_view location);

// The address behind the host if no name service is needed for it: itself, or that of "localhost".
std::optional<std::string> numeric_address(const Url& url);

}  // namespace executors
