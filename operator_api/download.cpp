// /files/download: a file as it is, or a part of it.

#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/strings.h"
#include "operator_api/byte_range.h"
#include "operator_api/endpoints.h"
#include "operator_api/file_access.h"

namespace operator_api {

using base::concat;
using base::Result;
using base::Task;
using http::error_response;

namespace {

// How much is read ahead of the client.
constexpr uint64_t kPiece = 256 * 1024;

struct MediaType {
  std::string_view suffix;
  std::string_view type;
};

constexpr std::array kMediaTypes = std::to_array<MediaType>({
    {".css", "text/css"},
    {".csv", "text/csv"},
    {".gif", "image/gif"},
    {".gz", "application/x-gzip"},
    {".htm", "text/html"},
    {".html", "text/html"},
    {".jpeg", "image/jpeg"},
    {".jpg", "image/jpeg"},
    {".js", "application/javascript"},
    {".json", "application/json"},
    {".pdf", "application/pdf"},
    {".png", "image/png"},
    {".svg", "image/svg+xml"},
    {".tar", "application/x-tar"},
    {".txt", "text/plain"},
    {".xml", "application/xml"},
    {".zip", "application/zip"},
});

std::string_view media_type(std::string_view name) {
  const auto found = std::ranges::find_if(
      kMediaTypes, [name](const MediaType& known) { return name.ends_with(known.suffix); });
  return found == kMediaTypes.end() ? "application/octet-stream" : found->type;
}

// A file's name in a header: as it is, or quoted if it holds what ends a word there.
std::string quote_name(std::string_view name) {
  const bool is_word = std::ranges::all_of(name, [](char c) {
    return c > ' ' && c < '\x7f' &&
           std::string_view("()<>@,;:\\\"/[]?={}").find(c) == std::string_view::npos;
  });
  if (is_word && !name.empty()) return std::string(name);
  std::string quoted = "\"";
  for (const char c : name) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += static_cast<unsigned char>(c) < ' ' || c == '\x7f' ? '_' : c;
  }
  return quoted + '"';
}

// Sends so many bytes of the file. If it has become shorter meanwhile the response stays short,
// which the client notices.
Task<void> send_range(http::ResponseWriter& writer, base::Fd file, ByteRange range) {
  const auto fd = std::make_shared<base::Fd>(std::move(file));
  while (range.size > 0) {
    const std::string piece =
        co_await base::run_on_worker([fd, from = range.first, size = std::min(range.size, kPiece)] {
          std::string bytes(size, '\0');
          const ssize_t n = pread(fd->get(), bytes.data(), size, static_cast<off_t>(from));
          bytes.resize(static_cast<size_t>(std::max<ssize_t>(n, 0)));
          return bytes;
        });
    if (piece.empty() || !co_await writer.write(piece)) co_return;
    range.first += piece.size();
    range.size -= piece.size();
  }
}

}  // namespace

Task<void> download_file(Context& context) {
  const http::Request& request = context.request;
  const std::string* path = request.query.find("path");
  if (path == nullptr || path->empty()) {
    co_await context.reply(error_response(400, "Expecting 'path=value' in query.\n"));
    co_return;
  }
  auto file = co_await access_file(context, *path,
                                   [](const agent::VirtualPath& at, const std::string& shown_as) {
                                     return agent::open_file(at, shown_as, "download");
                                   });
  if (!file) {
    http::Response refusal = file_error(file.error());
    if (refusal.body.empty()) refusal = error_response(refusal.status);
    co_await context.reply(std::move(refusal));
    co_return;
  }
  http::Headers headers = {
      {"Content-Type", std::string(media_type(file->name))},
      {"Content-Disposition", concat("attachment; filename=", quote_name(file->name))},
      {"Accept-Ranges", "bytes"}};
  ByteRange range{0, file->size};
  int status = 200;
  // Who sends If-Range wants a part of an earlier version only, and versions are not told apart.
  if (const std::string* wanted = request.headers.find("Range");
      wanted != nullptr && request.method == "GET" && !request.headers.has("If-Range")) {
    const auto part = parse_range(*wanted, file->size);
    if (!part) {
      http::Response response = error_response(416);
      response.headers.set("Content-Range", concat("bytes */", file->size));
      co_await context.reply(std::move(response));
      co_return;
    }
    if (*part) {
      range = **part;
      status = 206;
      headers.set("Content-Range", concat("bytes ", range.first, "-", range.first + range.size - 1,
                                          "/", file->size));
    }
  }
  if (!co_await context.writer.start_sized(status, std::move(headers), range.size)) co_return;
  if (context.writer.complete()) co_return;
  co_await send_range(context.writer, std::move(file->fd), range);
}

}  // namespace operator_api
