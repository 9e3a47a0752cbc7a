// The unix socket on which executors find the agent (--http_executor_domain_sockets).
#pragma once

#include <sys/stat.h>

#include <string>

#include "agent/flags.h"
#include "base/fd.h"
#include "base/result.h"

namespace agent {

// Where the flags want it.
std::string domain_socket_path(const Flags& flags);

class DomainSocket {
 public:
  // Listens at `path`, which every user may connect to: executors run as any of them. A socket that
  // is there and that nobody listens on any more, as a killed agent leaves it, is replaced; one
  // that somebody does listen on (kAlreadyExists), and anything that is no socket, stays.
  static base::Result<DomainSocket> open(const std::string& path, int backlog);

  DomainSocket(DomainSocket&&) noexcept;
  DomainSocket& operator=(DomainSocket&&) = delete;

  // Removes the socket, unless something else has taken its place.
  ~DomainSocket();

  const std::string& path() const { return path_; }

  // The listening descriptor; once.
  base::Fd take() { return std::move(listener_); }

 private:
  DomainSocket(std::string path, base::Fd listener, const struct stat& made);

  std::string path_;  // empty: moved from
  base::Fd listener_;
  dev_t device_;
  ino_t inode_;
};

}  // namespace agent
