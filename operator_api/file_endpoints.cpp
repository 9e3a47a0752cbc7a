// /files/browse, /files/read and /files/debug.

#include <sys/stat.h>

#include <optional>

#include "base/strings.h"
#include "operator_api/endpoints.h"
#include "operator_api/file_access.h"
#include "proto/json_builder.h"

namespace operator_api {

using base::concat;
using base::ErrorKind;
using base::fail;
using base::Result;
using base::Task;
using http::error_response;

namespace {

constexpr std::string_view kNoPath = "Expecting 'path=value' in query.\n";

// "drwxr-x---", as ls shows it.
std::string mode_text(mode_t mode) {
  const char type = S_ISDIR(mode)    ? 'd'
                    : S_ISLNK(mode)  ? 'l'
                    : S_ISFIFO(mode) ? 'p'
                    : S_ISSOCK(mode) ? 's'
                    : S_ISCHR(mode)  ? 'c'
                    : S_ISBLK(mode)  ? 'b'
                                     : '-';
  std::string text(1, type);
  for (int shift = 6; shift >= 0; shift -= 3) {
    const mode_t bits = mode >> shift;
    text += (bits & 4) != 0 ? 'r' : '-';
    text += (bits & 2) != 0 ? 'w' : '-';
    text += (bits & 1) != 0 ? 'x' : '-';
  }
  const struct {
    mode_t bit;
    size_t at;
    char letter;
  } kSpecial[] = {{S_ISUID, 3, 's'}, {S_ISGID, 6, 's'}, {S_ISVTX, 9, 't'}};
  for (const auto& special : kSpecial) {
    if ((mode & special.bit) == 0) continue;
    char& letter = text[special.at];
    letter = letter == 'x' ? special.letter : static_cast<char>(special.letter - 'a' + 'A');
  }
  return text;
}

std::string listing(const std::vector<mesos::v1::FileInfo>& files) {
  proto::JsonBuilder json;
  json.begin_array();
  for (const auto& file : files) {
    json.begin_object();
    json.member("gid", file.gid());
    json.member("mode", mode_text(file.mode()));
    json.member("mtime", static_cast<double>(file.mtime().nanoseconds()) / 1e9);
    json.member("nlink", file.nlink());
    json.member("path", file.path());
    json.member("size", file.size());
    json.member("uid", file.uid());
    json.end_object();
  }
  return json.end_array().take();
}

// The path that is asked for; nullptr if none is.
const std::string* asked_path(const http::Request& request) {
  const std::string* path = request.query.find("path");
  return path == nullptr || path->empty() ? nullptr : path;
}

// "offset" or "length" of the query; nothing if it is not there or -1.
Result<std::optional<uint64_t>> read_number(const http::Request& request, std::string_view name) {
  const std::string* text = request.query.find(name);
  if (text == nullptr) return std::nullopt;
  const auto number = base::parse_number<int64_t>(*text);
  if (!number) {
    return fail(ErrorKind::kInvalid,
                concat("Failed to parse ", name, ": Failed to convert '", *text, "' to number.\n"));
  }
  if (*number < -1) {
    return fail(ErrorKind::kInvalid, concat("Negative ", name, " provided: ", *number, ".\n"));
  }
  if (*number == -1) return std::nullopt;
  return static_cast<uint64_t>(*number);
}

}  // namespace

Task<void> browse_files(Context& context) {
  const std::string* path = asked_path(context.request);
  if (path == nullptr) {
    co_await context.reply(error_response(400, std::string(kNoPath)));
    co_return;
  }
  const auto files = co_await access_file(context, *path, agent::list_files);
  co_await context.reply(files ? json_response(context.request, listing(*files))
                               : file_error(files.error()));
}

Task<void> read_file_part(Context& context) {
  const std::string* path = asked_path(context.request);
  if (path == nullptr) {
    co_await context.reply(error_response(400, std::string(kNoPath)));
    co_return;
  }
  const auto offset = read_number(context.request, "offset");
  const auto length = read_number(context.request, "length");
  if (!offset || !length) {
    co_await context.reply(error_response((offset ? length : offset).error()));
    co_return;
  }
  const auto part =
      co_await access_file(context, *path,
                           [from = *offset, size = length->value_or(agent::max_read_size())](
                               const agent::VirtualPath& at, const std::string& shown_as) {
                             return agent::read_file(at, shown_as, from, size);
                           });
  if (!part) {
    co_await context.reply(file_error(part.error()));
    co_return;
  }
  proto::JsonBuilder json;
  json.begin_object().member("data", part->data);
  json.member("offset", offset->value_or(part->size)).end_object();
  co_await context.reply(json_response(context.request, json.take()));
}

Task<void> debug_files(Context& context) {
  proto::JsonBuilder json;
  json.begin_object();
  for (const auto& attachment : agent::list_attachments(context.agent)) {
    json.member(attachment.virtual_path, attachment.real_path);
  }
  co_await context.reply(json_response(context.request, json.end_object().take()));
}

}  // namespace operator_api
