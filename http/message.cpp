#include "http/message.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <ctime>
#include <utility>

#include "base/strings.h"

namespace http {

namespace {

struct Phrase {
  int status;
  std::string_view text;
};

constexpr auto kPhrases = std::to_array<Phrase>({
    {100, "Continue"},
    {101, "Switching Protocols"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Time-out"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Request Entity Too Large"},
    {414, "Request-URI Too Large"},
    {415, "Unsupported Media Type"},
    {416, "Requested range not satisfiable"},
    {417, "Expectation Failed"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Time-out"},
    {505, "HTTP Version not supported"},
});

void append_two_digits(int number, std::string* out) {
  *out += static_cast<char>('0' + number / 10);
  *out += static_cast<char>('0' + number % 10);
}

void append_field_text(std::string_view text, std::string* out) {
  const size_t start = out->size();
  *out += text;
  std::replace_if(
      out->begin() + static_cast<ptrdiff_t>(start), out->end(),
      [](char c) { return c == '\r' || c == '\n' || c == '\0'; }, ' ');
}

void append_fields(const Headers& headers, std::string* out) {
  for (const auto& [name, value] : headers) {
    append_field_text(name, out);
    *out += ": ";
    append_field_text(value, out);
    *out += "\r\n";
  }
}

}  // namespace

std::string_view reason_phrase(int status) {
  const auto found = std::ranges::find(kPhrases, status, &Phrase::status);
  return found == kPhrases.end() ? "Unknown" : found->text;
}

Response error_response(int status, std::string text) {
  if (text.empty()) text = base::concat(status, ' ', reason_phrase(status), '.');
  return {status, {{"Content-Type", "text/plain; charset=utf-8"}}, std::move(text)};
}

int status_of(const base::Error& error) {
  switch (error.kind) {
    case base::ErrorKind::kInvalid:
      return error.code == EMSGSIZE ? 413 : 400;
    case base::ErrorKind::kForbidden:
      return 403;
    case base::ErrorKind::kNotFound:
      return 404;
    case base::ErrorKind::kAlreadyExists:
    case base::ErrorKind::kConflict:
      return 409;
    case base::ErrorKind::kUnsupported:
      return 501;
    case base::ErrorKind::kTimeout:
      return 503;
    case base::ErrorKind::kInternal:
    case base::ErrorKind::kClosed:
      break;
  }
  return 500;
}

Response error_response(const base::Error& error) {
  return error_response(status_of(error), error.message);
}

std::string_view http_date() {
  // By hand, since strftime follows the process's locale.
  static constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                            "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths = {
      "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  static thread_local time_t formatted = -1;
  static thread_local std::string text;

  const time_t now = time(nullptr);
  if (now != formatted) {
    tm utc{};
    gmtime_r(&now, &utc);
    text = kDays[static_cast<size_t>(utc.tm_wday)];
    text += ", ";
    append_two_digits(utc.tm_mday, &text);
    text +=
        base::concat(' ', kMonths[static_cast<size_t>(utc.tm_mon)], ' ', 1900 + utc.tm_year, ' ');
    append_two_digits(utc.tm_hour, &text);
    text += ':';
    append_two_digits(utc.tm_min, &text);
    text += ':';
    append_two_digits(utc.tm_sec, &text);
    text += " GMT";
    formatted = now;
  }
  return text;
}

std::string format_response_head(int status, const Headers& headers) {
  std::string head = base::concat("HTTP/1.1 ", status, ' ', reason_phrase(status), "\r\n");
  if (!headers.has("Date")) head += base::concat("Date: ", http_date(), "\r\n");
  append_fields(headers, &head);
  return head;
}

std::string format_request_head(std::string_view method, std::string_view target,
                                const Headers& headers) {
  std::string head;
  append_field_text(method, &head);
  head += ' ';
  append_field_text(target, &head);
  head += " HTTP/1.1\r\n";
  append_fields(headers, &head);
  return head;
}

}  // namespace http
