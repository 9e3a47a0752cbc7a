#include "fetcher/uri.h"

#include <algorithm>
#include <array>

#include "base/files.h"
#include "base/strings.h"

namespace fetcher {

using base::concat;
using base::ErrorKind;
using base::fail;

namespace {

constexpr std::string_view kSchemeEnd = "://";
constexpr std::string_view kFile = "file";
constexpr std::string_view kLocalhost = "localhost";
constexpr std::array<std::string_view, 4> kNetSchemes = {"http", "https", "ftp", "ftps"};
constexpr std::array<std::string_view, 8> kArchives = {".tar",     ".tgz", ".tar.gz", ".tbz2",
                                                       ".tar.bz2", ".txz", ".tar.xz", ".zip"};

// Blanks in front are not meant, as in Apache Mesos.
std::string_view without_blanks(std::string_view uri) {
  const size_t first = uri.find_first_not_of(" \t\n\r\v\f");
  return first == std::string_view::npos ? std::string_view() : uri.substr(first);
}

// Both parts are empty without a scheme.
struct Parts {
  std::string_view scheme;
  std::string_view rest;
};

Parts split_scheme(std::string_view uri) {
  uri = without_blanks(uri);
  const size_t end = uri.find(kSchemeEnd);
  if (end == std::string_view::npos) return {};
  return {uri.substr(0, end), uri.substr(end + kSchemeEnd.size())};
}

bool has_path(std::string_view rest) {
  const size_t slash = rest.find('/');
  return slash != std::string_view::npos && slash + 1 < rest.size();
}

}  // namespace

Source source_of(std::string_view uri) {
  const Parts parts = split_scheme(uri);
  if (parts.scheme.empty() || base::equals_ignoring_case(parts.scheme, kFile)) return Source::kFile;
  const bool net = std::ranges::any_of(kNetSchemes, [&](std::string_view scheme) {
    return base::equals_ignoring_case(parts.scheme, scheme);
  });
  return net ? Source::kNet : Source::kHadoop;
}

base::Result<std::string> local_path(std::string_view uri, std::string_view frameworks_home) {
  const Parts parts = split_scheme(uri);
  if (!parts.scheme.empty()) {
    std::string_view path = parts.rest;
    if (path.starts_with(kLocalhost)) path.remove_prefix(kLocalhost.size());
    if (path.starts_with('/')) return std::string(path);
    return fail(ErrorKind::kInvalid, "a file of another host");
  }
  const std::string_view path = without_blanks(uri);
  if (path.starts_with('/')) return std::string(path);
  if (!frameworks_home.empty()) return base::join_path(frameworks_home, path);
  return fail(ErrorKind::kInvalid, "a relative path, and the agent has no --frameworks_home");
}

bool is_plain_path(std::string_view path) {
  if (path.empty() || path.starts_with('/') || path.ends_with('/')) return false;
  if (path.find('\0') != std::string_view::npos) return false;
  return std::ranges::none_of(base::split(path, '/'), [](std::string_view part) {
    return part.empty() || part == "." || part == "..";
  });
}

std::string_view last_part(std::string_view path) {
  const size_t end = path.find_last_not_of('/');
  if (end == std::string_view::npos) return {};
  path = path.substr(0, end + 1);
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

base::Status check_uri(const CommandInfo::URI& uri) {
  const auto refuse = [&uri](std::string_view why) {
    return fail(ErrorKind::kInvalid, concat("Failed to fetch '", shown(uri.value()), "': ", why));
  };
  // Apache Mesos once gave them to a shell, and refuses them still.
  if (uri.value().find_first_of(std::string_view("\\'\0", 3)) != std::string::npos) {
    return refuse("the URI has a character that is not allowed: \\, ' or NUL");
  }
  const Parts parts = split_scheme(uri.value());
  const bool named =
      parts.scheme.empty() ? !last_part(without_blanks(uri.value())).empty() : has_path(parts.rest);
  if (!named) return refuse("Malformed URI (missing path)");
  if (uri.has_output_file()) {
    const std::string& output = uri.output_file();
    if (output.empty()) return refuse("URI output_file must not be empty");
    if (output.starts_with('/')) return refuse("URI output_file must be within the sandbox");
    if (!is_plain_path(output) || output.find_first_of("\\'") != std::string::npos) {
      return refuse("URI output_file must be a path below the sandbox, without '.', '..', \\ or '");
    }
  } else if (!is_plain_path(name_of(uri))) {
    return refuse("the URI ends in no file name; give an output_file");
  }
  return {};
}

std::string name_of(const CommandInfo::URI& uri) {
  if (uri.has_output_file()) return uri.output_file();
  return std::string(last_part(uri.value()));
}

Packing packing_of(std::string_view name) {
  const bool archive = std::ranges::any_of(
      kArchives, [name](std::string_view suffix) { return name.ends_with(suffix); });
  if (archive) return Packing::kArchive;
  return name.ends_with(".gz") ? Packing::kGzip : Packing::kNone;
}

std::string unfinished_name(std::string_view name) {
  // A name has at most 255 bytes.
  constexpr size_t kLongest = 240;
  return concat(".", name.substr(0, kLongest), ".part");
}

std::string shown(std::string_view uri) {
  const Parts parts = split_scheme(uri);
  const size_t at = parts.rest.substr(0, parts.rest.find('/')).rfind('@');
  if (parts.scheme.empty() || at == std::string_view::npos) return std::string(uri);
  return concat(parts.scheme, kSchemeEnd, parts.rest.substr(at + 1));
}

}  // namespace fetcher
