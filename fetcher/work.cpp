#include "fetcher/work.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <utility>

#include "base/strings.h"
#include "fetcher/download.h"
#include "fetcher/extract.h"
#include "fetcher/hadoop.h"
#include "fetcher/sandbox_files.h"
#include "fetcher/uri.h"
#include "proto/json_read.h"

namespace fetcher {

using base::concat;
using base::Fd;
using base::Result;
using base::Status;

namespace {

using Item = FetcherInfo::Item;

constexpr mode_t kExecutable = 0755;

// Where hadoop's client copies to; it knows paths only.
constexpr char kHadoopCopy[] = ".mesos-fetcher.hadoop";

void say(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

std::chrono::nanoseconds stall_timeout(const FetcherInfo& info) {
  return std::chrono::nanoseconds(info.stall_timeout().nanoseconds());
}

Status copy_local(const FetcherInfo& info, const std::string& uri, int to) {
  TRY(const std::string path, local_path(uri, info.frameworks_home()));
  TRY(const Fd from, open_regular(AT_FDCWD, path));
  return copy_content(from.get(), to);
}

Status copy_by_hadoop(const std::string& uri, int to) {
  unlink(kHadoopCopy);
  Status copied = hadoop_copy(uri, concat("./", kHadoopCopy));
  if (copied) {
    auto from = open_regular(AT_FDCWD, kHadoopCopy);
    copied = from ? copy_content(from->get(), to) : base::fail(std::move(from).error());
  }
  unlink(kHadoopCopy);
  return copied;
}

Status copy_from_source(const FetcherInfo& info, const std::string& uri, int to) {
  switch (source_of(uri)) {
    case Source::kFile:
      return copy_local(info, uri, to);
    case Source::kNet:
      return download(uri, to, stall_timeout(info));
    case Source::kHadoop:
      return copy_by_hadoop(uri, to);
  }
  return {};
}

Status unpack(int fd, const Fd& sandbox, const std::string& name) {
  const Status done =
      packing_of(name) == Packing::kGzip
          ? extract_gzip(fd, sandbox.get(), std::string(last_part(name.substr(0, name.size() - 3))))
          : extract_archive(fd, sandbox.get());
  if (done) {
    say(concat("Extracted '", name, "'"));
    return {};
  }
  return base::fail(concat("Failed to extract '", name, "': ", done.error().message));
}

bool is_to_be_unpacked(const CommandInfo::URI& uri) {
  return !uri.executable() && uri.extract() && packing_of(name_of(uri)) != Packing::kNone;
}

Status make_executable(int fd) {
  if (fchmod(fd, kExecutable) < 0) return base::fail_errno("chmod");
  return {};
}

// What a fetched file's last steps are, the same from the cache and from the source.
Status put_into_sandbox(const CommandInfo::URI& uri, int content, const Fd& sandbox) {
  const std::string name = name_of(uri);
  if (is_to_be_unpacked(uri)) return unpack(content, sandbox, name);
  TRY(NewFile file, NewFile::create(sandbox.get(), name));
  if (lseek(content, 0, SEEK_SET) < 0) return base::fail_errno("seek");
  TRY_VOID(copy_content(content, file.fd()));
  if (uri.executable()) TRY_VOID(make_executable(file.fd()));
  return file.keep();
}

Status fetch_directly(const FetcherInfo& info, const CommandInfo::URI& uri, const Fd& sandbox) {
  const std::string name = name_of(uri);
  TRY(NewFile file, NewFile::create(sandbox.get(), name));
  TRY_VOID(copy_from_source(info, uri.value(), file.fd()));
  if (uri.executable()) TRY_VOID(make_executable(file.fd()));
  TRY_VOID(file.keep());
  if (is_to_be_unpacked(uri)) return unpack(file.fd(), sandbox, name);
  if (uri.extract() && !uri.executable()) {
    say(concat("Kept '", name, "' as it is: its name is not that of an archive"));
  }
  return {};
}

Result<Fd> open_cache(const FetcherInfo& info) {
  Fd fd(open(info.cache_directory().c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return base::fail_errno(concat("open '", info.cache_directory(), "'"));
  return fd;
}

// Whatever is wrong with the cache, it is not the container's fault: then it is bypassed.

Status fetch_into_cache(const FetcherInfo& info, const Item& item, const Fd& sandbox) {
  auto cache = open_cache(info);
  auto file = cache ? NewFile::create(cache->get(), item.cache_filename())
                    : Result<NewFile>(base::fail(std::move(cache).error()));
  if (!file) {
    say(concat("The cache cannot be used: ", file.error().message));
    return fetch_directly(info, item.uri(), sandbox);
  }
  TRY_VOID(copy_from_source(info, item.uri().value(), file->fd()));
  TRY_VOID(put_into_sandbox(item.uri(), file->fd(), sandbox));
  return file->keep();
}

Status fetch_from_cache(const FetcherInfo& info, const Item& item, const Fd& sandbox) {
  auto cache = open_cache(info);
  auto cached = cache ? open_regular(cache->get(), item.cache_filename())
                      : Result<Fd>(base::fail(std::move(cache).error()));
  if (cached) return put_into_sandbox(item.uri(), cached->get(), sandbox);
  say(concat("The cached file cannot be used: ", cached.error().message));
  return fetch_directly(info, item.uri(), sandbox);
}

Status fetch_one(const FetcherInfo& info, const Item& item, const Fd& sandbox) {
  TRY_VOID(check_uri(item.uri()));
  switch (item.action()) {
    case Item::BYPASS_CACHE:
      return fetch_directly(info, item.uri(), sandbox);
    case Item::DOWNLOAD_AND_CACHE:
      return fetch_into_cache(info, item, sandbox);
    case Item::RETRIEVE_FROM_CACHE:
      return fetch_from_cache(info, item, sandbox);
  }
  return {};
}

Result<std::optional<uint64_t>> size_of(const FetcherInfo& info, const std::string& uri) {
  switch (source_of(uri)) {
    case Source::kNet:
      return remote_size(uri, stall_timeout(info));
    case Source::kHadoop:
      return hadoop_size(uri);
    case Source::kFile:
      break;
  }
  TRY(const std::string path, local_path(uri, info.frameworks_home()));
  TRY(const Fd fd, open_regular(AT_FDCWD, path));
  struct stat status{};
  if (fstat(fd.get(), &status) < 0) return base::fail_errno(concat("stat '", path, "'"));
  return static_cast<uint64_t>(status.st_size);
}

}  // namespace

Result<FetcherInfo> read_fetcher_info(const char* json) {
  if (json == nullptr) return base::fail("MESOS_FETCHER_INFO is not in the environment");
  FetcherInfo info;
  if (auto parsed = proto::parse_json(json, &info); !parsed) {
    return base::fail(concat("MESOS_FETCHER_INFO: ", parsed.error().message));
  }
  return info;
}

Status fetch_all(const FetcherInfo& info, const Fd& sandbox) {
  for (const Item& item : info.items()) {
    const std::string uri = shown(item.uri().value());
    say(concat("Fetching '", uri, "'"));
    if (auto fetched = fetch_one(info, item, sandbox); !fetched) {
      return base::fail(concat("Failed to fetch '", uri, "': ", fetched.error().message));
    }
    say(concat("Fetched '", uri, "' to '", name_of(item.uri()), "'"));
  }
  return {};
}

std::string probe_all(const FetcherInfo& info) {
  std::string lines;
  for (const Item& item : info.items()) {
    auto size = size_of(info, item.uri().value());
    if (!size) {
      say(concat("The size of '", shown(item.uri().value()),
                 "' is not known: ", size.error().message));
    } else if (*size) {
      lines += concat(**size);
    }
    lines += '\n';
  }
  return lines;
}

}  // namespace fetcher
