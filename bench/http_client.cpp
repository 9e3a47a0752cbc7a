#include "bench/http_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/strings.h"

namespace bench {

using base::fail_errno;
using base::Fd;
using base::Result;
using base::Status;

namespace {

constexpr timeval kPatience{.tv_sec = 30, .tv_usec = 0};

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// The value of a header field, by its name in lower case.
std::string_view field(std::string_view head, std::string_view name) {
  for (std::string_view line : base::split(head, '\n')) {
    const size_t colon = line.find(':');
    if (colon != std::string_view::npos &&
        base::equals_ignoring_case(line.substr(0, colon), name)) {
      return base::trim(line.substr(colon + 1));
    }
  }
  return {};
}

Result<int> status_of(std::string_view head) {
  constexpr size_t kAt = std::string_view("HTTP/1.1 ").size();
  const auto status = base::parse_number<int>(head.substr(std::min(kAt, head.size()), 3));
  if (!status) return base::fail("The response does not begin with a status line");
  return *status;
}

}  // namespace

Result<Listener> listen_on_loopback() {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!fd || bind(fd.get(), generic, size) < 0 || listen(fd.get(), 16) < 0 ||
      getsockname(fd.get(), generic, &size) < 0) {
    return fail_errno("listen on 127.0.0.1");
  }
  return Listener{std::move(fd), ntohs(address.sin_port)};
}

Result<Fd> connect_to_loopback(uint16_t port) {
  Fd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno("socket");
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof(kPatience));
  setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof(kPatience));
  const sockaddr_in address = loopback(port);
  if (connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0) {
    return fail_errno(base::concat("connect to 127.0.0.1:", port));
  }
  return fd;
}

Status write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = write(fd, data.data(), data.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_errno("write");
    data.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

Result<Client> Client::connect(uint16_t port) {
  TRY(Fd fd, connect_to_loopback(port));
  return Client(std::move(fd));
}

Result<Reply> Client::exchange(std::string_view request) {
  TRY_VOID(send(request));
  TRY(const std::string head, read_head_text());
  Reply reply;
  TRY(reply.status, status_of(head));
  const auto length = base::parse_number<size_t>(field(head, "content-length"));
  if (!length) return base::fail(base::concat("A response without Content-Length: ", head));
  reply.body = std::exchange(rest_, {});
  while (reply.body.size() < *length) {
    TRY(const size_t n, receive());
    if (n == 0) return base::fail("The agent has closed the connection in the middle of a reply");
    reply.body.append(buffer_.get(), n);
  }
  return reply;
}

Status Client::send(std::string_view bytes) { return write_all(fd_.get(), bytes); }

Result<int> Client::read_head() {
  TRY(const std::string head, read_head_text());
  return status_of(head);
}

Result<std::string_view> Client::read_some() {
  if (!rest_.empty()) {
    const size_t size = rest_.copy(buffer_.get(), kBufferSize);
    rest_.erase(0, size);
    return std::string_view(buffer_.get(), size);
  }
  TRY(const size_t n, receive());
  return std::string_view(buffer_.get(), n);
}

Result<std::string> Client::read_head_text() {
  constexpr std::string_view kEnd = "\r\n\r\n";
  std::string text = std::exchange(rest_, {});
  while (true) {
    const size_t end = text.find(kEnd);
    if (end != std::string::npos) {
      rest_ = text.substr(end + kEnd.size());
      text.resize(end);
      return text;
    }
    TRY(const size_t n, receive());
    if (n == 0) return base::fail("The agent has closed the connection without a reply");
    text.append(buffer_.get(), n);
  }
}

Result<size_t> Client::receive() {
  while (true) {
    const ssize_t n = recv(fd_.get(), buffer_.get(), kBufferSize, 0);
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) return fail_errno("recv");
  }
}

}  // namespace bench
