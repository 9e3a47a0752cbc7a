// Text for a program without the C library: the launch helper's.
#pragma once

#include <cstddef>

namespace containerizer {

size_t text_length(const char* text);
bool starts_with(const char* text, const char* prefix);

// Text in a buffer of fixed size; what does not fit is left out.
class BareText {
 public:
  BareText& operator<<(const char* text) { return append(text, text_length(text)); }
  BareText& operator<<(long number);
  BareText& append(const char* text, size_t length);

  bool is_complete() const { return complete_; }
  const char* c_str() const { return buffer_; }
  size_t size() const { return size_; }

 private:
  char buffer_[4096];  // PATH_MAX; NUL-terminated from the first character on
  size_t size_ = 0;
  bool complete_ = true;
};

// What strerror says of the errors that starting a container can meet; of others the number.
void describe_error(int code, BareText* text);

}  // namespace containerizer
