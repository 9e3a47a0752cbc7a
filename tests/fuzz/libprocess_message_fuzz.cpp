// Messages: any path and fields are read without harm, and what is read comes out of the encoder
// and in again as the same. The input is a path, and after a line end each a field's value.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "http/message_parser.h"
#include "libprocess/message.h"
#include "libprocess/upid.h"

namespace {

using libprocess::Message;
using libprocess::Upid;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_upid(std::string_view text) {
  const auto upid = Upid::parse(text);
  if (!upid) return;
  const auto again = Upid::parse(upid->to_string());
  require(again.has_value() && *again == *upid);
}

// What parse_message() has taken, sent to `to` and received.
void check_round_trip(const Message& message, std::string_view body) {
  const Upid to{"slave(1)", 0x7F000001, 5051};
  const std::string request = encode_message(message.from, to, "mesos.internal.X", body);
  http::MessageParser parser(http::MessageParser::Kind::kRequest);
  const auto head_size = parser.feed_head(request);
  require(head_size.has_value() && parser.head_complete());
  const http::MessageHead head = parser.take_head();
  require(libprocess::is_message(head.method, head.headers));
  const auto again = libprocess::parse_message(head.target, head.headers);
  require(again.has_value() && again->from == message.from && again->to == to.id &&
          again->name == "mesos.internal.X");
  std::string rest = request.substr(*head_size);
  std::string decoded;
  while (!parser.complete() && !rest.empty()) {
    std::string out(rest.size(), '\0');
    const auto step = parser.feed_body(rest, out.data());
    require(step.has_value());
    decoded.append(out, 0, step->produced);
    rest.erase(0, step->consumed);
  }
  require(parser.complete() && rest.empty() && decoded == body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  auto lines = base::split(input, '\n');
  lines.resize(3);
  for (const std::string_view line : lines) check_upid(line);
  http::Headers headers;
  if (!lines[1].empty()) headers.append("User-Agent", std::string(lines[1]));
  if (!lines[2].empty()) headers.append("Libprocess-From", std::string(lines[2]));
  const bool recognised = libprocess::is_message("POST", headers);
  const auto message = libprocess::parse_message(lines[0], headers);
  if (!message) return 0;
  require(recognised && !message->from.empty() && !message->to.empty() && !message->name.empty());
  check_round_trip(*message, lines[0]);
  return 0;
}
