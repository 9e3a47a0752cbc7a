// JSON to protobuf, as Apache Mesos reads the bodies of its API.
//
// Keys are field names as the .proto files spell them; unknown ones are skipped with all that is
// below them. `null` leaves a field unset. Numbers go into number fields by C's conversions, and so
// does a string that holds a number; "Infinity" and "-Infinity" are for floating point. Strings go
// into bytes fields as base64 and into enums by name; an unknown name leaves the field unset,
// unless it is required. Where a list belongs, a single value is a list of one and lists within
// lists are one list. Maps are objects, or lists of objects. Of a key that occurs twice the last
// one counts. Strings need not be well-formed UTF-8.
#pragma once

#include <google/protobuf/message.h>

#include <expected>
#include <string>
#include <string_view>

namespace proto {

// In the order in which they are found out: one kind is reported only if there is none of those
// before it.
enum class JsonErrorKind {
  kSyntax,       // not JSON: "syntax error at line 1 near: …", "Parsed JSON included …"
  kNotAnObject,  // JSON, but "Expecting a JSON object"
  kConversion,   // the first value that does not fit: "Not expecting a JSON number for field 'x'"
  kMissingRequired,  // "Missing required fields: a.b, c"
};

// The message is what Mesos answers, but for kSyntax: there it puts "Failed to parse body into
// JSON: " in front, and whoever reads something that is no body can say what it was.
struct JsonError {
  JsonErrorKind kind;
  std::string message;
};

// Replaces *out, whose required fields are all set on success. On failure *out holds whatever was
// understood and may lack required fields. Objects and lists may be 200 deep. An error in a value
// counts even if the same key occurs again.
std::expected<void, JsonError> parse_json(std::string_view text, google::protobuf::Message* out);

}  // namespace proto
