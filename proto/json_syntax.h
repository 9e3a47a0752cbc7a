// JSON text to events: RapidJSON's SAX reader, given a stream and an encoding of our own, and the
// error texts that Apache Mesos has for text that is not JSON.
#pragma once

#include <rapidjson/encodings.h>
#include <rapidjson/reader.h>

#include <cstring>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>

namespace proto {

// Objects and arrays within each other. The reader recurses once per level, so its handlers must
// refuse to go deeper.
inline constexpr int kMaxJsonDepth = 200;

// A bounded text that the reader unescapes in place: what is read is never behind what is written.
// At the end, and where a NUL stands, it reads '\0', which is legal nowhere in JSON.
class InPlaceText {
 public:
  using Ch = char;

  InPlaceText(char* begin, size_t size) : begin_(begin), end_(begin + size), src_(begin) {}

  Ch Peek() const { return src_ == end_ ? '\0' : *src_; }
  Ch Take() { return src_ == end_ ? '\0' : *src_++; }
  size_t Tell() const { return src_ - begin_; }

  Ch* PutBegin() { return dst_ = src_; }
  void Put(Ch c) { *dst_++ = c; }
  size_t PutEnd(Ch* begin) { return dst_ - begin; }
  void Flush() {}

  // Moves the longest run of characters that mean themselves inside a string; at least one.
  void move_run() {
    const char* const run = src_;
    src_ += find_special(src_ + 1, end_) - src_;
    const size_t size = src_ - run;
    if (dst_ != run) std::memmove(dst_, run, size);
    dst_ += size;
  }

  // Nothing is read beyond this point: the reader finds a string without an end here.
  void stop() { end_ = src_; }

 private:
  // The first quote, backslash or control character, or end.
  static const char* find_special(const char* from, const char* end);

  char* begin_;
  char* end_;
  char* src_;
  char* dst_ = nullptr;
};

// UTF-8 whose bytes are passed on as they are, well-formed or not.
struct VerbatimUtf8 : rapidjson::UTF8<> {
  template <typename Out>
  static void Encode(Out& out, unsigned code_point) {
    if constexpr (std::is_same_v<Out, InPlaceText>) {
      // The reader pairs surrogates, but lets the second half of a pair stand alone.
      if (code_point >= 0xDC00 && code_point <= 0xDFFF) return out.stop();
    }
    rapidjson::UTF8<>::Encode(out, code_point);
  }
};

}  // namespace proto

// Called where a character of a string is to be copied; out is in itself. The reader is compiled,
// but never run, with other outputs.
template <>
struct rapidjson::Transcoder<proto::VerbatimUtf8, proto::VerbatimUtf8> {
  template <typename Out>
  static bool Transcode(proto::InPlaceText& in, Out&) {
    in.move_run();
    return true;
  }
  template <typename Out>
  static bool Validate(proto::InPlaceText& in, Out& out) {
    return Transcode(in, out);
  }
};

// The reader finds the text of a number by the stream that it has not moved yet, so it must work
// on a copy.
template <>
struct rapidjson::StreamTraits<proto::InPlaceText> {
  enum { copyOptimization = 1 };
};

namespace proto {

// "syntax error at line <n> near: <the rest of that line>".
std::string describe_syntax_error(std::string_view text, rapidjson::ParseErrorCode code,
                                  size_t offset);

// What follows the first value must be white space: the error text if it is not, else "".
std::string check_rest(std::string_view rest);

// Sends the events of one JSON value to a handler as RapidJSON describes them; numbers arrive
// unconverted at RawNumber(). Strings are valid during the event only. A handler that returns false
// ends the reading as a syntax error would. On failure returns the error text.
template <typename Handler>
std::expected<void, std::string> read_json(std::string_view text, Handler& handler) {
  const auto copy = std::make_unique_for_overwrite<char[]>(text.size());
  if (!text.empty()) std::memcpy(copy.get(), text.data(), text.size());
  InPlaceText stream(copy.get(), text.size());
  rapidjson::GenericReader<VerbatimUtf8, VerbatimUtf8> reader;
  // Numbers as text, because RapidJSON 1.1 makes a NaN of 1.8e308.
  constexpr unsigned kFlags = rapidjson::kParseInsituFlag | rapidjson::kParseStopWhenDoneFlag |
                              rapidjson::kParseNumbersAsStringsFlag;
  const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
  if (result.IsError()) {
    return std::unexpected(describe_syntax_error(text, result.Code(), result.Offset()));
  }
  std::string error = check_rest(text.substr(stream.Tell()));
  if (!error.empty()) return std::unexpected(std::move(error));
  return {};
}

}  // namespace proto
