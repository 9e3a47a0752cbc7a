// The requests that the agent makes on a switchboard's socket. Both ends are ours, so the form is
// an internal one; what comes back is what the agent's client gets, header and body unchanged.
//
//   POST /attach_container_output[?replay=true]
//     Accept: application/json | application/x-protobuf
//       or application/recordio with Message-Accept: application/json | application/x-protobuf
//   No body. Answer: 200 and an endless chunked body, RecordIO of mesos.v1.agent.ProcessIO, one
//   record a chunk. It ends cleanly (with the last chunk) when the container has ended and all its
//   output was sent, and uncleanly when the reader was cut off because it stood in the way.
//
//   POST /attach_container_input
//     Content-Type: application/recordio
//     Message-Content-Type: application/json | application/x-protobuf
//   The body is RecordIO of mesos.v1.agent.Call, what the client sent after its first record, the
//   one with the container's id. Answer: 200 without a body when the request's body or the
//   container has ended; 400 for a bad record, 409 for a second writer, 500 if stdin cannot be
//   written to, each with the reason as plain text and as soon as it is known.
#pragma once

#include <string_view>

#include "base/result.h"
#include "http/headers.h"
#include "ioswitchboard/process_io.h"

namespace ioswitchboard {

constexpr std::string_view kOutputPath = "/attach_container_output";
constexpr std::string_view kInputPath = "/attach_container_input";
constexpr std::string_view kReplayParameter = "replay";

// The socket's name in a switchboard's directory.
constexpr std::string_view kSocketName = "socket";

// How the records of an output stream are encoded, and how its headers call that: clients of Apache
// Mesos get RecordIO in any case, but only those that accept application/recordio are told so.
struct OutputForm {
  Encoding encoding = Encoding::kJson;
  bool recordio = false;
};

// Accept and Message-Accept of a request.
http::Headers accept_headers(const OutputForm& form);
// What accept_headers() made of a form; also the form for an absent Accept or one that takes
// anything. kInvalid for all others.
base::Result<OutputForm> parse_accept(const http::Headers& headers);

// Content-Type and, for RecordIO, Message-Content-Type.
http::Headers content_headers(const OutputForm& form);

}  // namespace ioswitchboard
