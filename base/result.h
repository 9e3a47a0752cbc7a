// Errors as values. A function that can fail returns Result<T>; nothing in this code base throws
// across a module, and an Error always says what failed, on what object, and why.
#pragma once

#include <cerrno>
#include <cstring>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace base {

// What kind of failure it is, as far as a caller must tell them apart. The HTTP front end maps a
// kind to a status code; everything below it only passes kinds on.
enum class ErrorKind {
  kInternal,       // a system call or an invariant failed: 500
  kInvalid,        // the caller's input is wrong: 400
  kForbidden,      // not allowed for who asks: 403
  kNotFound,       // what was named does not exist: 404
  kAlreadyExists,  // what was to be made is there already
  kConflict,       // not possible in the present state: 409
  kUnsupported,    // understood, but not something this agent does
  kClosed,         // the peer went away, or the stream ended early
  kTimeout,        // a bound in time ran out
};

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  int code = 0;  // errno, or 0 where no system call is the cause
  std::string message;

  explicit Error(std::string text) : message(std::move(text)) {}
  Error(ErrorKind k, std::string text) : kind(k), message(std::move(text)) {}

  // For a failed system call: "open '/x': Permission denied", with the code kept.
  static Error from_errno(std::string_view what, int code = errno) {
    Error error(std::string(what) + ": " + std::strerror(code));
    error.code = code;
    return error;
  }

  // The same error, with what was being tried put in front: "Failed to X: <message>".
  Error with_context(std::string_view what) && {
    message = std::string(what) + ": " + message;
    return std::move(*this);
  }
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

inline std::unexpected<Error> fail(Error error) { return std::unexpected<Error>(std::move(error)); }
inline std::unexpected<Error> fail(std::string text) { return fail(Error(std::move(text))); }
inline std::unexpected<Error> fail(ErrorKind kind, std::string text) {
  return fail(Error(kind, std::move(text)));
}
inline std::unexpected<Error> fail_errno(std::string_view what, int code = errno) {
  return fail(Error::from_errno(what, code));
}

}  // namespace base

#define BASE_CONCAT_INNER(a, b) a##b
#define BASE_CONCAT(a, b) BASE_CONCAT_INNER(a, b)

// TRY(auto x, f()): x is f's value, or the enclosing function returns f's error.
// CO_TRY is the same in a coroutine. TRY_VOID and CO_TRY_VOID drop the value.
#define BASE_TRY_IMPL(ret, tmp, decl, ...)               \
  auto tmp = (__VA_ARGS__);                              \
  if (!tmp) ret std::unexpected(std::move(tmp).error()); \
  decl = *std::move(tmp)
#define BASE_TRY_VOID_IMPL(ret, tmp, ...)                  \
  do {                                                     \
    auto tmp = (__VA_ARGS__);                              \
    if (!tmp) ret std::unexpected(std::move(tmp).error()); \
  } while (false)

#define TRY(decl, ...) BASE_TRY_IMPL(return, BASE_CONCAT(try_, __LINE__), decl, __VA_ARGS__)
#define CO_TRY(decl, ...) BASE_TRY_IMPL(co_return, BASE_CONCAT(try_, __LINE__), decl, __VA_ARGS__)
#define TRY_VOID(...) BASE_TRY_VOID_IMPL(return, BASE_CONCAT(try_, __LINE__), __VA_ARGS__)
#define CO_TRY_VOID(...) BASE_TRY_VOID_IMPL(co_return, BASE_CONCAT(try_, __LINE__), __VA_ARGS__)
