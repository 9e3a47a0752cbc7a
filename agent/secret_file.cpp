#include "agent/secret_file.h"

#include <glog/logging.h>
#include <sys/stat.h>

#include "base/files.h"
#include "base/strings.h"

namespace agent {

using base::concat;

base::Result<std::string> read_secret_file(std::string_view flag, const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) < 0) {
    return base::fail_errno(concat("--", flag, ": '", path, "' cannot be read"));
  }
  if (!S_ISREG(info.st_mode)) {
    return base::fail(base::ErrorKind::kInvalid,
                      concat("--", flag, ": '", path, "' is not a file"));
  }
  if ((info.st_mode & S_IRWXO) != 0) {
    LOG(WARNING) << "--" << flag << ": the permissions of '" << path
                 << "' are too open: everybody on this host can get at the secrets in it";
  }
  auto content = base::read_file(path);
  if (!content) return base::fail(std::move(content).error().with_context(concat("--", flag)));
  return content;
}

}  // namespace agent
