#include "agent/domain_socket.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "base/files.h"
#include "base/stream.h"
#include "base/strings.h"

namespace agent {

namespace {

using base::concat;

constexpr mode_t kMode = 0666;
constexpr std::string_view kSystemd = "systemd:";

// sd_listen_fds(3): the first descriptor, and the variables that say whose and how they are called.
constexpr int kFirstHandedOver = 3;

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Nothing that is handed over is for the programs that the agent starts.
std::optional<int> find_systemd_descriptor(std::string_view name) {
  if (base::parse_number<pid_t>(variable("LISTEN_PID")) != getpid()) return std::nullopt;
  const int count = base::parse_number<int>(variable("LISTEN_FDS")).value_or(0);
  for (int i = 0; i < count; ++i) fcntl(kFirstHandedOver + i, F_SETFD, FD_CLOEXEC);
  const auto names = base::split(variable("LISTEN_FDNAMES"), ':');
  const auto at = std::ranges::find(names, name) - names.begin();
  if (at >= std::min<ssize_t>(count, std::ssize(names))) return std::nullopt;
  return kFirstHandedOver + static_cast<int>(at);
}

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

std::string own_executors_socket_path(const Flags& flags) {
  return base::join_path(flags.runtime_dir, "executors.sock");
}

base::Result<DomainSocket> DomainSocket::open(const std::string& path, int backlog) {
  if (path.starts_with(kSystemd)) {
    return take_from_systemd(std::string_view(path).substr(kSystemd.size()));
  }
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return base::fail(base::ErrorKind::kInvalid,
                      concat("the path '", path, "' is too long for a socket: ", path.size(),
                             " bytes, and there is room for ", sizeof(sockaddr_un::sun_path) - 1));
  }
  TRY_VOID(make_room(path));
  TRY(base::Fd listener, base::listen_unix(path, backlog));
  struct stat made{};
  if (lstat(path.c_str(), &made) < 0) return base::fail_errno(concat("lstat '", path, "'"));
  DomainSocket socket(path, std::move(listener), Made{made.st_dev, made.st_ino});
  if (chmod(path.c_str(), kMode) < 0) return base::fail_errno(concat("chmod '", path, "'"));
  return socket;
}

base::Result<DomainSocket> DomainSocket::take_from_systemd(std::string_view name) {
  const auto fd = find_systemd_descriptor(name);
  if (!fd) {
    return base::fail(base::ErrorKind::kInvalid,
                      concat("systemd has handed over no socket '", name, "'"));
  }
  int listening = 0;
  socklen_t length = sizeof(listening);
  sockaddr_un address{};
  socklen_t address_length = sizeof(address);
  if (getsockopt(*fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length) < 0 || listening == 0 ||
      getsockname(*fd, reinterpret_cast<sockaddr*>(&address), &address_length) < 0 ||
      address.sun_family != AF_UNIX || address.sun_path[0] != '/') {
    return base::fail(
        base::ErrorKind::kInvalid,
        concat("what systemd calls '", name, "' is no unix socket with a path that listens"));
  }
  const std::string_view path(address.sun_path, sizeof(address.sun_path));
  return DomainSocket(std::string(path.substr(0, path.find('\0'))), base::Fd(*fd), std::nullopt);
}

DomainSocket::DomainSocket(DomainSocket&& other) noexcept
    : path_(std::move(other.path_)),
      listener_(std::move(other.listener_)),
      made_(std::exchange(other.made_, std::nullopt)) {}

DomainSocket::~DomainSocket() {
  struct stat there{};
  if (!made_ || lstat(path_.c_str(), &there) < 0) return;
  if (there.st_dev == made_->device && there.st_ino == made_->inode) unlink(path_.c_str());
}

}  // namespace agent
