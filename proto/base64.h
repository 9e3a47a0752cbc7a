// Base64 with the standard alphabet (RFC 4648 §4): the form that `bytes` fields take in JSON and
// that HTTP basic authentication uses.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace proto {

// Appends the encoding of bytes to *out: padded, without line breaks.
void append_base64(std::string_view bytes, std::string* out);

// As lenient as Apache Mesos: white space is skipped wherever it stands, everything from the first
// '=' on is ignored, missing padding is no fault, and a single left-over character adds nothing.
// Any other character outside the alphabet fails with kInvalid and "Invalid character '?'".
base::Result<std::string> decode_base64(std::string_view text);

}  // namespace proto
