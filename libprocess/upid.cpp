#include "libprocess/upid.h"

#include <arpa/inet.h>

#include <algorithm>

#include "base/strings.h"

namespace libprocess {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

// An id is written into a request's first line and fields as it is.
bool fits_a_request(std::string_view id) {
  constexpr size_t kLongest = 256;
  return id.size() <= kLongest &&
         std::ranges::all_of(id, [](char c) { return c > ' ' && c < '\x7F' && c != '/'; });
}

}  // namespace

std::string Address::ip_text() const {
  return concat(ip >> 24, ".", (ip >> 16) & 255, ".", (ip >> 8) & 255, ".", ip & 255);
}

std::string Address::to_string() const { return concat(ip_text(), ":", port); }

Result<uint32_t> parse_ip(std::string_view text) {
  in_addr address{};
  if (inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) {
    return fail(ErrorKind::kInvalid, concat("'", text, "' is not a numeric IPv4 address"));
  }
  return ntohl(address.s_addr);
}

Result<Upid> Upid::parse(std::string_view text) {
  text = base::trim(text);
  if (text.empty()) return Upid{};
  const auto malformed = [text](std::string_view why) {
    return fail(ErrorKind::kInvalid,
                concat("'", text, "' is not a process as in slave(1)@10.0.0.7:5051: ", why));
  };
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return malformed("there is no '@'");
  const std::string_view id = text.substr(0, at);
  const std::string_view address = text.substr(at + 1);
  const size_t colon = address.find(':');
  if (colon == std::string_view::npos) return malformed("there is no port");
  const auto ip = parse_ip(address.substr(0, colon));
  if (!ip) return malformed(ip.error().message);
  const auto port = base::parse_number<uint16_t>(address.substr(colon + 1));
  if (!port) return malformed("the port is not a number from 0 to 65535");
  if (!fits_a_request(id))
    return malformed("the id is too long, or has a character that no id has");
  return Upid{std::string(id), *ip, *port};
}

std::string Upid::to_string() const { return concat(id, "@", address().to_string()); }

}  // namespace libprocess
