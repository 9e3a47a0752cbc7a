#include "containerizer/status_file.h"

#include <fcntl.h>
#include <signal.h>

#include "base/files.h"
#include "base/strings.h"
#include "containerizer/launch_helper.h"

namespace containerizer {

using base::concat;
using base::Fd;

base::Result<Fd> create_status_file(const std::string& path) {
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return base::fail_errno(concat("open '", path, "'"));
  // Where the file system cannot promise the room, there is nothing more to do.
  (void)fallocate(fd.get(), FALLOC_FL_KEEP_SIZE, 0, 16);
  return fd;
}

base::Result<RecordedStatus> read_status_file(const std::string& path) {
  const auto text = base::read_file(path);
  if (!text && text.error().kind == base::ErrorKind::kNotFound) return RecordedStatus();
  if (!text) return base::fail(text.error());
  if (text->starts_with(kNeverStarted)) return RecordedStatus{.never_started = true};
  return RecordedStatus{.status = base::parse_number<int>(base::trim(*text)).value_or(SIGKILL)};
}

}  // namespace containerizer
