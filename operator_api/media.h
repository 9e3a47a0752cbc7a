// Which encodings a request to /api/v1 comes in and asks for, by the rules of Apache Mesos.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace operator_api {

enum class Encoding { kJson, kProtobuf };

// The media type's name: application/json or application/x-protobuf.
const char* name_of(Encoding encoding);

// That of a body that is one message, by its Content-Type; nothing if it is neither.
std::optional<Encoding> body_encoding(std::string_view content_type);

// What a client wants by its Accept header, JSON first; nothing if it takes neither. Without a
// header it takes everything.
std::optional<Encoding> accepted_encoding(const std::string* header);

struct Media {
  // The request's body: RecordIO of messages, or one message.
  bool streaming_request = false;
  Encoding request = Encoding::kJson;
  // The response: RecordIO is what the client prefers, or one message. Output streams are RecordIO
  // in any case, but only a client that prefers it is told so in Content-Type.
  bool streaming_response = false;
  Encoding response = Encoding::kJson;
};

// Reads Content-Type, Message-Content-Type, Accept and Message-Accept. On failure the response
// (400, 406 or 415) that tells what was expected. Types are compared without regard to case, and
// parameters such as charset are ignored.
std::expected<Media, http::Response> negotiate(const http::Headers& headers);

}  // namespace operator_api
