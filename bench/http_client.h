// A blocking HTTP client of the operator API, as small as it can be: what it costs is measured too.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "base/result.h"

namespace bench {

// A socket that listens on a free loopback port; for the floors.
struct Listener {
  base::Fd fd;
  uint16_t port = 0;
};
base::Result<Listener> listen_on_loopback();

// A blocking loopback connection without Nagle's delay. Reads and writes that take longer than half
// a minute fail, so that no run hangs.
base::Result<base::Fd> connect_to_loopback(uint16_t port);

base::Status write_all(int fd, std::string_view data);

struct Reply {
  int status = 0;
  std::string body;
};

class Client {
 public:
  static base::Result<Client> connect(uint16_t port);

  // Sends a whole request and reads the whole response, which must have a Content-Length.
  base::Result<Reply> exchange(std::string_view request);

  // For streams: sends as it is; reads the head of a response and gives its status.
  base::Status send(std::string_view bytes);
  base::Result<int> read_head();

  // What comes after the head, as it comes, chunk sizes included: empty if the server has closed.
  // Valid until the next call.
  base::Result<std::string_view> read_some();

 private:
  explicit Client(base::Fd fd)
      : fd_(std::move(fd)), buffer_(std::make_unique_for_overwrite<char[]>(kBufferSize)) {}

  base::Result<std::string> read_head_text();
  base::Result<size_t> receive();

  static constexpr size_t kBufferSize = 256 * 1024;

  base::Fd fd_;
  std::unique_ptr<char[]> buffer_;
  std::string rest_;  // read already, with a head
};

}  // namespace bench
