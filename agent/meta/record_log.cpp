#include "agent/meta/record_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/files.h"
#include "base/strings.h"
#include "proto/record.h"

namespace agent {

using base::concat;
using base::fail_errno;
using base::Fd;
using base::Status;

namespace {

Fd open_log(const std::string& path, int flags) {
  return Fd(open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | flags, 0644));
}

Status write_fully(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t n = write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return fail_errno(concat("write '", path, "'"));
    }
    content.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

}  // namespace

Status RecordLog::append(const google::protobuf::MessageLite& message) {
  auto record = proto::make_record(message);
  if (!record) return base::fail(std::move(record).error().with_context(concat("'", path_, "'")));
  const int flags = sync_ == Sync::kWrite ? O_SYNC : 0;
  Fd fd = open_log(path_, flags);
  if (!fd && errno == ENOENT) {
    auto made = base::make_directories(path_.substr(0, path_.rfind('/')));
    if (!made) {
      made.error().kind = base::ErrorKind::kInternal;  // not that of the record's own making
      return made;
    }
    fd = open_log(path_, flags);
  }
  if (!fd) return fail_errno(concat("open '", path_, "'"));
  if (torn_at_) {
    if (ftruncate(fd.get(), *torn_at_) < 0) return fail_errno(concat("ftruncate '", path_, "'"));
    torn_at_.reset();
  }
  struct stat info{};
  if (fstat(fd.get(), &info) < 0) return fail_errno(concat("fstat '", path_, "'"));
  Status written = write_fully(fd.get(), *record, path_);
  if (!written && ftruncate(fd.get(), info.st_size) < 0) torn_at_ = info.st_size;
  return written;
}

Status cut_log(const std::string& path, size_t size) {
  if (truncate(path.c_str(), static_cast<off_t>(size)) == 0) return {};
  return fail_errno(concat("truncate '", path, "'"));
}

size_t whole_records(std::string_view content) {
  proto::RecordReader reader(content);
  size_t whole = 0;
  while (const auto body = reader.next()) {
    // A crash of the host can leave zeros where data was to be; no message of ours is empty.
    if (body->empty() && content.find_first_not_of('\0', whole) == std::string_view::npos) break;
    whole = reader.offset();
  }
  return whole;
}

}  // namespace agent
