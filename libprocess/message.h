// Messages between libprocess processes: each is one HTTP request, which is answered by no more
// than "202 Accepted"; what is said in return is a message of its own.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "http/headers.h"
#include "http/message.h"
#include "libprocess/upid.h"

namespace libprocess {

struct Message {
  Upid from;
  std::string to;    // the receiving process: "slave(1)"
  std::string name;  // "mesos.internal.PingSlaveMessage"
  std::string body;  // mostly a protobuf message
};

// Whether the request is a message: a POST that has Libprocess-From, or the User-Agent of
// libprocess. All others at the same port are ordinary requests.
bool is_message(std::string_view method, const http::Headers& headers);
inline bool is_message(const http::Request& request) {
  return is_message(request.method, request.headers);
}

// What a message's path, "/<id>/<name>", still percent-encoded, and fields say of it; the body is
// left empty. kInvalid if they do not tell who sends what to whom, in names of printable ASCII.
base::Result<Message> parse_message(std::string_view path, const http::Headers& headers);

// The whole request that carries a message. The body is one chunk; without a body there is neither
// a length nor a chunk.
std::string encode_message(const Upid& from, const Upid& to, std::string_view name,
                           std::string_view body);

}  // namespace libprocess
