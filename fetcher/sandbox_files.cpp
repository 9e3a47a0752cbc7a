#include "fetcher/sandbox_files.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/strings.h"
#include "fetcher/uri.h"

namespace fetcher {

using base::concat;
using base::Fd;
using base::Result;
using base::Status;

namespace {

constexpr mode_t kDirectoryMode = 0755;
constexpr mode_t kFileMode = 0644;

// The kernel asks to try again while others rename directories on the way.
constexpr int kAttempts = 32;

Result<Fd> open_directory_beneath(int root, std::string_view path) {
  const std::string text(path.empty() ? "." : path);
  open_how how{};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    Fd fd(static_cast<int>(syscall(SYS_openat2, root, text.c_str(), &how, sizeof(how))));
    if (fd) return fd;
    if (errno != EAGAIN && errno != EINTR) break;
  }
  if (errno == EXDEV) {
    return base::fail(base::ErrorKind::kConflict, concat("'", path, "' leads out of the sandbox"));
  }
  return base::fail_errno(concat("open directory '", path, "'"));
}

}  // namespace

Result<Fd> make_directory_beneath(int root, std::string_view path) {
  auto found = open_directory_beneath(root, path);
  if (found || found.error().code != ENOENT || path.empty()) return found;
  Fd directory;
  TRY(directory, open_directory_beneath(root, ""));
  for (size_t end = 0; end != std::string_view::npos;) {
    const size_t begin = end == 0 ? 0 : end + 1;
    end = path.find('/', begin);
    const std::string part(path.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (mkdirat(directory.get(), part.c_str(), kDirectoryMode) < 0 && errno != EEXIST) {
      return base::fail_errno(concat("mkdir '", path.substr(0, end), "'"));
    }
    // From the root again, so that a link that is there is held to it.
    TRY(directory, open_directory_beneath(root, path.substr(0, end)));
  }
  return directory;
}

Result<NewFile> NewFile::create(int root, std::string_view path) {
  const size_t slash = path.rfind('/');
  const bool nested = slash != std::string_view::npos;
  TRY(Fd directory, make_directory_beneath(root, nested ? path.substr(0, slash) : ""));
  std::string name(nested ? path.substr(slash + 1) : path);
  const std::string part = unfinished_name(name);
  if (unlinkat(directory.get(), part.c_str(), 0) < 0 && errno != ENOENT) {
    return base::fail_errno(concat("unlink '", part, "'"));
  }
  const int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd fd(openat(directory.get(), part.c_str(), flags, kFileMode));
  if (!fd) return base::fail_errno(concat("create '", path, "'"));
  return NewFile(std::move(directory), std::move(name), std::move(fd));
}

NewFile::~NewFile() {
  if (directory_) unlinkat(directory_.get(), unfinished_name(name_).c_str(), 0);
}

Status NewFile::keep() {
  if (renameat(directory_.get(), unfinished_name(name_).c_str(), directory_.get(), name_.c_str()) <
      0) {
    return base::fail_errno(concat("create '", name_, "'"));
  }
  directory_.reset();
  return {};
}

Result<Fd> open_regular(int directory, const std::string& path) {
  const auto name = [&path] { return concat("open '", path, "'"); };
  // O_NONBLOCK: the open of a fifo must not wait for its writer.
  Fd fd(openat(directory, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd) return base::fail_errno(name());
  struct stat info{};
  if (fstat(fd.get(), &info) < 0) return base::fail_errno(name());
  if (!S_ISREG(info.st_mode)) return base::fail(concat("'", path, "' is not a regular file"));
  return fd;
}

Status copy_content(int from, int to) {
  // Within the kernel, where the file systems can.
  while (true) {
    const ssize_t n = copy_file_range(from, nullptr, to, nullptr, size_t{1} << 30, 0);
    if (n == 0) break;
    if (n < 0 && errno != EINTR) break;
  }
  // What is left, which is all if they cannot; and the errors.
  std::vector<char> buffer(256 << 10);
  while (true) {
    const ssize_t n = read(from, buffer.data(), buffer.size());
    if (n == 0) return {};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("read");
    for (ssize_t done = 0; done < n;) {
      const ssize_t m = write(to, buffer.data() + done, static_cast<size_t>(n - done));
      if (m < 0 && errno != EINTR) return base::fail_errno("write");
      if (m > 0) done += m;
    }
  }
}

Status write_at(int fd, std::string_view data, int64_t offset) {
  while (!data.empty()) {
    const ssize_t n = pwrite(fd, data.data(), data.size(), offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return base::fail_errno("write");
    data.remove_prefix(static_cast<size_t>(n));
    offset += n;
  }
  return {};
}

}  // namespace fetcher
