#include "base/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>
#include <optional>

#include "base/files.h"
#include "base/strings.h"

namespace base {

namespace {

// Others rename directories while "..", which must not lead outside, is being followed: the kernel
// then asks to try again.
constexpr int kAttempts = 32;

int try_open(int root, const char* path, uint64_t resolve) {
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve;
  int fd = -1;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    fd = static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof(how)));
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return fd;
}

bool is_missing(int code) {
  return code == ENOENT || code == ENOTDIR || code == ELOOP || code == ENAMETOOLONG;
}

std::unexpected<Error> fail_open(const std::string& path, int code) {
  Error error = Error::from_errno(concat("open '", path, "'"), code);
  if (is_missing(code)) error.kind = ErrorKind::kNotFound;
  if (code == EXDEV) error.kind = ErrorKind::kConflict;
  return fail(std::move(error));
}

std::optional<std::string> real_path(const std::string& path) {
  const std::unique_ptr<char, decltype(&free)> real(realpath(path.c_str(), nullptr), &free);
  return real ? std::optional<std::string>(real.get()) : std::nullopt;
}

// The path without links, relative to the root, if it is inside at present.
std::optional<std::string> find_inside(const Root& root, const std::string& path) {
  const auto top = real_path(root.path);
  const auto real = real_path(join_path(root.path, path));
  if (!top || !real || !real->starts_with(*top)) return std::nullopt;
  if (real->size() == top->size()) return ".";
  if ((*real)[top->size()] != '/') return std::nullopt;
  return real->substr(top->size() + 1);
}

}  // namespace

Result<Root> open_root(const std::string& path) {
  Fd fd(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_open(path, errno);
  return Root{std::move(fd), path};
}

Result<Fd> open_beneath(const Root& root, const std::string& path) {
  if (path.find('\0') != std::string::npos) return fail_open(path, ENOENT);
  Fd fd(try_open(root.fd.get(), path.empty() ? "." : path.c_str(), 0));
  if (fd) return fd;
  int code = errno;
  if (code == EXDEV) {
    // The kernel takes every absolute link for one that leads outside. Where it really leads is
    // only looked up: what is opened is still below the root, and if links come into it meanwhile,
    // nothing is.
    if (const auto inside = find_inside(root, path)) {
      fd = Fd(try_open(root.fd.get(), inside->c_str(), RESOLVE_NO_SYMLINKS));
      if (fd) return fd;
      code = errno;
    }
  }
  return fail_open(path, code);
}

Result<Fd> reopen_for_reading(const Fd& fd) {
  const std::string path = concat("/proc/self/fd/", fd.get());
  Fd opened(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!opened) return fail_errno("open for reading");
  return opened;
}

}  // namespace base
