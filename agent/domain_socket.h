// The unix socket on which executors find the agent (--http_executor_domain_sockets).
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/flags.h"
#include "base/fd.h"
#include "base/result.h"

namespace agent {

// Where the flags want it.
std::string domain_socket_path(const Flags& flags);

// Where the socket of the agent's own executors is, if it is needed: they speak no TLS.
std::string own_executors_socket_path(const Flags& flags);

class DomainSocket {
 public:
  // With "systemd:NAME", takes the listening socket that systemd hands over by that name
  // (FileDescriptorName of the .socket unit), whose permissions and end are systemd's. Once for
  // each name.
  //
  // Otherwise listens at `path`, which every user may connect to: executors run as any of them. A
  // socket that is there and that nobody listens on any more, as a killed agent leaves it, is
  // replaced; one that somebody does listen on (kAlreadyExists), and anything that is no socket,
  // stays.
  static base::Result<DomainSocket> open(const std::string& path, int backlog);

  DomainSocket(DomainSocket&&) noexcept;
  DomainSocket& operator=(DomainSocket&&) = delete;

  // Removes the socket if it has made it, unless something else has taken its place.
  ~DomainSocket();

  // Where it is, also if systemd has made it.
  const std::string& path() const { return path_; }

  // The listening descriptor; once.
  base::Fd take() { return std::move(listener_); }

 private:
  struct Made {  // what was made at the path
    dev_t device;
    ino_t inode;
  };
  DomainSocket(std::string path, base::Fd listener, std::optional<Made> made)
      : path_(std::move(path)), listener_(std::move(listener)), made_(made) {}
  static base::Result<DomainSocket> take_from_systemd(std::string_view name);

  std::string path_;
  base::Fd listener_;
  std::optional<Made> made_;  // nothing: somebody else's, or moved from
};

}  // namespace agent
