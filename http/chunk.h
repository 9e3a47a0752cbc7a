// The framing of chunked bodies, sending side.
#pragma once

#include <array>
#include <string>
#include <string_view>

namespace http {

// What ends a chunked body.
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

// The line before a chunk of `size` bytes: "1f4\r\n". After the chunk comes "\r\n".
class ChunkHead {
 public:
  explicit ChunkHead(size_t size);
  std::string_view text() const { return {bytes_.data(), length_}; }

 private:
  std::array<char, 18> bytes_;
  size_t length_;
};

// Appends one chunk. An empty payload appends nothing, for an empty chunk would end the body.
void append_chunk(std::string_view payload, std::string* out);

// The other way round: takes the first chunk off `framed`, which holds whole chunks as append_chunk
// makes them, and gives its payload; empty at the end.
std::string_view take_chunk(std::string_view* framed);

}  // namespace http
