#include "http/chunk.h"

#include <algorithm>
#include <charconv>

namespace http {

ChunkHead::ChunkHead(size_t size) {
  char* end = std::to_chars(bytes_.data(), bytes_.data() + bytes_.size() - 2, size, 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  length_ = static_cast<size_t>(end - bytes_.data());
}

void append_chunk(std::string_view payload, std::string* out) {
  if (payload.empty()) return;
  *out += ChunkHead(payload.size()).text();
  *out += payload;
  *out += "\r\n";
}

std::string_view take_chunk(std::string_view* framed) {
  size_t size = 0;
  const char* end = framed->data() + framed->size();
  const char* at = std::from_chars(framed->data(), end, size, 16).ptr;
  const auto start = static_cast<size_t>(at - framed->data()) + 2;
  if (start > framed->size()) {
    *framed = {};
    return {};
  }
  const std::string_view payload = framed->substr(start, size);
  framed->remove_prefix(std::min(framed->size(), start + payload.size() + 2));
  return payload;
}

}  // namespace http
