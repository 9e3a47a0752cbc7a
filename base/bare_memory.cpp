// The functions that compilers call on their own, for programs without the C library.
#include <cstddef>
#include <cstdint>

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
extern "C" {

__attribute__((no_builtin("memcpy"))) void* memcpy(void* to, const void* from, size_t size) {
  auto* target = static_cast<char*>(to);
  const auto* source = static_cast<const char*>(from);
  for (size_t i = 0; i < size; ++i) target[i] = source[i];
  return to;
}

__attribute__((no_builtin("memset"))) void* memset(void* at, int value, size_t size) {
  auto* target = static_cast<char*>(at);
  for (size_t i = 0; i < size; ++i) target[i] = static_cast<char>(value);
  return at;
}

__attribute__((no_builtin("memchr"))) void* memchr(const void* at, int value, size_t size) {
  const auto* bytes = static_cast<const unsigned char*>(at);
  for (size_t i = 0; i < size; ++i) {
    if (bytes[i] == static_cast<unsigned char>(value)) return const_cast<unsigned char*>(bytes + i);
  }
  return nullptr;
}

__attribute__((no_builtin("strlen"))) size_t strlen(const char* text) {
  size_t length = 0;
  while (text[length] != '\0') ++length;
  return length;
}
}
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
