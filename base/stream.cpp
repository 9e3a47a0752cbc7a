#include "base/stream.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <climits>

#include "base/combine.h"
#include "base/strings.h"

namespace base {

namespace {

using namespace std::chrono_literals;

// So many operations of, say, 64 KiB take half a millisecond: that long the others wait.
constexpr int kOperationsPerTurn = 16;

ErrorKind kind_of_io_error(int code) {
  switch (code) {
    case EPIPE:
    case ECONNRESET:
    case ECONNABORTED:
    case ENOTCONN:
    case ETIMEDOUT:
      return ErrorKind::kClosed;
    default:
      return ErrorKind::kInternal;
  }
}

std::unexpected<Error> fail_io(const char* call) {
  Error error = Error::from_errno(call);
  error.kind = kind_of_io_error(error.code);
  return fail(std::move(error));
}

Result<sockaddr_un> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return fail(ErrorKind::kInvalid, "unix socket path '" + path + "' is too long");
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  return address;
}

Result<sockaddr_storage> ip_address(const std::string& ip, uint16_t port, socklen_t* length) {
  sockaddr_storage storage{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *length = sizeof(*v4);
  } else if (inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *length = sizeof(*v6);
  } else {
    return fail(ErrorKind::kInvalid, "'" + ip + "' is not an IP address");
  }
  return storage;
}

// Errors of the network, not of the listening socket, that accept(2) passes on.
bool is_about_one_connection(int code) {
  constexpr int kCodes[] = {ECONNABORTED, EPROTO,      ENETDOWN,   ENETUNREACH, EHOSTDOWN,
                            EHOSTUNREACH, ENOPROTOOPT, EOPNOTSUPP, ENONET};
  return std::ranges::find(kCodes, code) != std::end(kCodes);
}

// Small messages must not wait for the acknowledgement of the ones before. Only a TCP socket has
// this option; on a unix socket the call fails and nothing changes.
void send_at_once(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

Task<Result<Fd>> connect_to(int family, const sockaddr* address, socklen_t length,
                            std::string name) {
  Fd fd(socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) co_return fail_errno("socket");
  send_at_once(fd.get());
  const std::string what = concat("Failed to connect to '", name, "'");
  auto pause = 1ms;
  while (connect(fd.get(), address, length) < 0) {
    if (errno == EAGAIN && family == AF_UNIX) {
      // The server's queue is full, nothing is under way, and the kernel does not tell when there
      // is room.
      co_await sleep_for(pause);
      pause = std::min(pause * 2, 64ms);
      continue;
    }
    if (errno != EINPROGRESS && errno != EINTR) co_return fail_errno(what);
    FdWatch watch(fd.get(), FdWatch::kWrite);
    co_await watch.writable();
    int code = 0;
    socklen_t size = sizeof(code);
    getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &code, &size);
    if (code != 0) co_return fail_errno(what, code);
    break;
  }
  co_return std::move(fd);
}

}  // namespace

Stream::Stream(Fd fd, FdWatch::Direction direction) : fd_(std::move(fd)) {
  int flags = fcntl(fd_.get(), F_GETFL);
  if (!(flags & O_NONBLOCK)) fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
  watch_ = std::make_unique<FdWatch>(fd_.get(), direction);
}

Stream& Stream::operator=(Stream&& other) noexcept {
  watch_ = nullptr;  // before its descriptor is closed
  fd_ = std::move(other.fd_);
  watch_ = std::move(other.watch_);
  layer_ = std::move(other.layer_);
  without_waiting_ = other.without_waiting_;
  return *this;
}

bool Stream::FairTurn::await_ready() const {
  if (++stream.without_waiting_ <= kOperationsPerTurn) return true;
  stream.without_waiting_ = 0;
  return false;
}

Result<ssize_t> Stream::try_read(std::span<char> buffer) {
  if (layer_) return layer_->try_read(buffer);
  while (true) {
    ssize_t n = ::read(fd_.get(), buffer.data(), buffer.size());
    if (n >= 0) return n;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return kWouldBlock;
    if (errno == EIO && isatty(fd_.get())) return 0;
    return fail_io("read");
  }
}

Result<ssize_t> Stream::try_write(std::span<const iovec> parts) {
  if (layer_) return layer_->try_write(parts);
  while (true) {
    ssize_t n = ::writev(fd_.get(), parts.data(),
                         static_cast<int>(std::min<size_t>(parts.size(), IOV_MAX)));
    if (n >= 0) return n;
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return kWouldBlock;
    return fail_io("write");
  }
}

Task<Result<size_t>> Stream::read_some(std::span<char> buffer) {
  co_await FairTurn{*this};
  while (true) {
    CO_TRY(ssize_t n, try_read(buffer));
    if (n != kWouldBlock) co_return static_cast<size_t>(n);
    without_waiting_ = 0;
    co_await readable();
  }
}

Task<Status> Stream::write_all(std::string_view data) {
  iovec part{const_cast<char*>(data.data()), data.size()};
  co_return co_await write_all(std::span(&part, 1));
}

Task<Status> Stream::write_all(std::span<iovec> parts) {
  co_await FairTurn{*this};
  while (true) {
    while (!parts.empty() && parts.front().iov_len == 0) parts = parts.subspan(1);
    if (parts.empty()) co_return {};
    CO_TRY(ssize_t n, try_write(parts));
    if (n == kWouldBlock) {
      without_waiting_ = 0;
      co_await writable();
      continue;
    }
    auto left = static_cast<size_t>(n);
    while (left > 0) {
      iovec& part = parts.front();
      const size_t taken = std::min(left, part.iov_len);
      part.iov_base = static_cast<char*>(part.iov_base) + taken;
      part.iov_len -= taken;
      left -= taken;
      if (part.iov_len == 0) parts = parts.subspan(1);
    }
  }
}

size_t Stream::arrived() const {
  int in_kernel = 0;
  ioctl(fd_.get(), FIONREAD, &in_kernel);
  return static_cast<size_t>(in_kernel) + (layer_ ? layer_->held() : 0);
}

bool Stream::shutdown_write() {
  if (layer_ && !layer_->try_end()) return false;
  ::shutdown(fd_.get(), SHUT_WR);
  return true;
}

void Stream::keep_alive(std::chrono::seconds interval) {
  constexpr int kUnanswered = 3;  // then the peer counts as gone
  const auto seconds = static_cast<int>(interval.count());
  const auto set = [this](int level, int option, int value) {
    return setsockopt(fd_.get(), level, option, &value, sizeof(value)) == 0;
  };
  if (!set(IPPROTO_TCP, TCP_KEEPIDLE, seconds)) return;
  set(IPPROTO_TCP, TCP_KEEPINTVL, seconds);
  set(IPPROTO_TCP, TCP_KEEPCNT, kUnanswered);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
}

Fd Stream::release() && {
  watch_.reset();
  return std::move(fd_);
}

Result<Pipe> make_pipe() {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) < 0) return fail_errno("pipe2");
  return Pipe{Fd(fds[0]), Fd(fds[1])};
}

Result<Fd> listen_tcp(const std::string& ip, uint16_t port, int backlog) {
  socklen_t length = 0;
  TRY(sockaddr_storage address, ip_address(ip, port, &length));
  Fd fd(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("socket");
  int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length) < 0) {
    return fail_errno(concat("Failed to bind to ", ip, ":", port));
  }
  if (listen(fd.get(), backlog) < 0) return fail_errno("listen");
  return fd;
}

Result<Fd> listen_unix(const std::string& path, int backlog) {
  TRY(sockaddr_un address, unix_address(path));
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return fail_errno("socket");
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) < 0) {
    return fail_errno("Failed to bind to '" + path + "'");
  }
  if (listen(fd.get(), backlog) < 0) return fail_errno("listen");
  return fd;
}

Result<uint16_t> local_port(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof(storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) < 0) {
    return fail_errno("getsockname");
  }
  if (storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<sockaddr_in6*>(&storage)->sin6_port);
  }
  return ntohs(reinterpret_cast<sockaddr_in*>(&storage)->sin_port);
}

Task<Result<Fd>> accept_one(int listen_fd, FdWatch& watch) {
  while (true) {
    Fd fd(accept4(listen_fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (fd) {
      send_at_once(fd.get());
      co_return std::move(fd);
    }
    if (errno == EINTR || is_about_one_connection(errno)) continue;
    if (errno != EAGAIN) co_return fail_errno("accept4");
    co_await watch.readable();
  }
}

Task<Result<Fd>> connect_unix(std::string path) {
  CO_TRY(sockaddr_un address, unix_address(path));
  co_return co_await connect_to(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof(address),
                                path);
}

Task<Result<Fd>> connect_tcp(std::string ip, uint16_t port) {
  socklen_t length = 0;
  CO_TRY(sockaddr_storage address, ip_address(ip, port, &length));
  co_return co_await connect_to(address.ss_family, reinterpret_cast<sockaddr*>(&address), length,
                                concat(ip, ":", port));
}

}  // namespace base
