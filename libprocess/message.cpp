#include "libprocess/message.h"

#include <algorithm>

#include "base/strings.h"
#include "http/chunk.h"
#include "http/url.h"

namespace libprocess {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view kFrom = "Libprocess-From";
constexpr std::string_view kUserAgent = "User-Agent";
constexpr std::string_view kProduct = "libprocess/";

// The field that names the sender; empty if there is none.
std::string_view sender_text(const http::Headers& headers) {
  if (const std::string* from = headers.find(kFrom)) return *from;
  const std::string* agent = headers.find(kUserAgent);
  if (agent == nullptr || !agent->starts_with(kProduct)) return {};
  return std::string_view(*agent).substr(kProduct.size());
}

// Names go into logs, in which whoever sends a message must not write lines of their own.
bool is_name(std::string_view text) {
  constexpr size_t kLongest = 256;
  return !text.empty() && text.size() <= kLongest &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7F'; });
}

}  // namespace

bool is_message(std::string_view method, const http::Headers& headers) {
  if (method != "POST") return false;
  if (headers.has(kFrom)) return true;
  const std::string* agent = headers.find(kUserAgent);
  return agent != nullptr && agent->starts_with(kProduct);
}

Result<Message> parse_message(std::string_view path, const http::Headers& headers) {
  Message message;
  auto from = Upid::parse(sender_text(headers));
  if (!from) return fail(std::move(from).error().with_context("The sender is unknown"));
  if (from->empty()) return fail(ErrorKind::kInvalid, "The sender is unknown: there is no name");
  message.from = *std::move(from);

  const size_t slash = path.starts_with('/') ? path.find('/', 1) : std::string_view::npos;
  if (slash == std::string_view::npos) {
    return fail(ErrorKind::kInvalid,
                concat("The path of a message is /<process>/<name>, not '", path, "'"));
  }
  TRY(message.to, http::percent_decode(path.substr(1, slash - 1)));
  TRY(message.name, http::percent_decode(path.substr(slash + 1)));
  if (!is_name(message.to) || !is_name(message.name)) {
    return fail(ErrorKind::kInvalid,
                concat("The path of a message is /<process>/<name>, not '", path, "'"));
  }
  return message;
}

std::string encode_message(const Upid& from, const Upid& to, std::string_view name,
                           std::string_view body) {
  const std::string sender = from.to_string();
  std::string request =
      concat("POST /", to.id, "/", name, " HTTP/1.1\r\n", kUserAgent, ": ", kProduct, sender,
             "\r\n", kFrom, ": ", sender,
             "\r\nConnection: Keep-Alive\r\nHost: ", to.address().to_string(), "\r\n");
  if (body.empty()) return request += "\r\n";
  request += "Transfer-Encoding: chunked\r\n\r\n";
  http::append_chunk(body, &request);
  return request += http::kLastChunk;
}

}  // namespace libprocess
