#include "agent/domain_socket.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/files.h"
#include "base/stream.h"
#include "base/strings.h"

namespace agent {

namespace {

using base::concat;

constexpr mode_t kMode = 0666;

// Whether somebody accepts connections there. Its queue may be full, so waiting is not for us.
base::Result<bool> is_listened_on(const std::string& path) {
  const base::Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return base::fail_errno("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), address.sun_path);
  return connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0 ||
         errno == EAGAIN;
}

// What is at the path of a former agent's socket.
base::Status make_room(const std::string& path) {
  struct stat info{};
  if (lstat(path.c_str(), &info) < 0) {
    if (errno == ENOENT) return {};
    return base::fail_errno(concat("lstat '", path, "'"));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return base::fail(base::ErrorKind::kInvalid, concat("'", path, "' exists and is no socket"));
  }
  TRY(const bool listened_on, is_listened_on(path));
  if (listened_on) {
    return base::fail(base::ErrorKind::kAlreadyExists,
                      concat("another process listens on '", path, "'"));
  }
  if (unlink(path.c_str()) < 0) return base::fail_errno(concat("unlink '", path, "'"));
  return {};
}

}  // namespace

std::string domain_socket_path(const Flags& flags) {
  return flags.domain_socket_location.value_or(base::join_path(flags.runtime_dir, "agent.sock"));
}

base::Result<DomainSocket> DomainSocket::open(const std::string& path, int backlog) {
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return base::fail(base::ErrorKind::kInvalid,
                      concat("the path '", path, "' is too long for a socket: ", path.size(),
                             " bytes, and there is room for ", sizeof(sockaddr_un::sun_path) - 1));
  }
  TRY_VOID(make_room(path));
  TRY(base::Fd listener, base::listen_unix(path, backlog));
  struct stat made{};
  if (lstat(path.c_str(), &made) < 0) return base::fail_errno(concat("lstat '", path, "'"));
  DomainSocket socket(path, std::move(listener), made);
  if (chmod(path.c_str(), kMode) < 0) return base::fail_errno(concat("chmod '", path, "'"));
  return socket;
}

DomainSocket::DomainSocket(std::string path, base::Fd listener, const struct stat& made)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      device_(made.st_dev),
      inode_(made.st_ino) {}

DomainSocket::DomainSocket(DomainSocket&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      listener_(std::move(other.listener_)),
      device_(other.device_),
      inode_(other.inode_) {}

DomainSocket::~DomainSocket() {
  struct stat there{};
  if (path_.empty() || lstat(path_.c_str(), &there) < 0) return;
  if (there.st_dev == device_ && there.st_ino == inode_) unlink(path_.c_str());
}

}  // namespace agent
