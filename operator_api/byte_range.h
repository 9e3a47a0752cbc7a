// The Range header of a request for a file (RFC 9110, section 14).
#pragma once

#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

namespace operator_api {

struct ByteRange {
  uint64_t first = 0;
  uint64_t size = 0;
  bool operator==(const ByteRange&) const = default;
};

enum class RangeError { kUnsatisfiable };

// The part of a file of `size` bytes that "bytes=2-5", "bytes=2-" or "bytes=-3" asks for. Nothing,
// that is the whole file, for anything else, several ranges included: a server need not know them.
// kUnsatisfiable if the range begins behind the file's end.
std::expected<std::optional<ByteRange>, RangeError> parse_range(std::string_view header,
                                                                uint64_t size);

}  // namespace operator_api
