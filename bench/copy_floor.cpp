#include "bench/copy_floor.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "base/fd.h"
#include "base/stream.h"
#include "base/strings.h"
#include "bench/child.h"
#include "bench/http_client.h"
#include "bench/samples.h"

namespace bench {

using base::Fd;
using base::Result;

namespace {

constexpr size_t kBlock = 64 * 1024;
char block[kBlock];

}  // namespace

std::vector<std::string> writer_command(const std::string& self, uint64_t bytes) {
  return {self, "write", base::concat(bytes)};
}

int run_writer(uint64_t bytes) {
  for (uint64_t left = bytes; left > 0;) {
    const size_t size = std::min<uint64_t>(left, kBlock);
    if (!write_all(STDOUT_FILENO, {block, size})) return 1;
    left -= size;
  }
  return 0;
}

std::vector<std::string> copier_command(const std::string& self) { return {self, "copy"}; }

int run_copier() {
  const Fd connection(accept(kFloorListenFd, nullptr, nullptr));
  if (!connection) return 1;
  while (true) {
    const ssize_t n = read(STDIN_FILENO, block, kBlock);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0 ? 0 : 1;
    if (!write_all(connection.get(), {block, static_cast<size_t>(n)})) return 1;
  }
}

Result<double> measure_copy(const std::string& self, uint64_t bytes) {
  TRY(Listener listener, listen_on_loopback());
  TRY(base::Pipe pipe, base::make_pipe());
  const auto start = Clock::now();
  TRY(const pid_t writer_pid,
      start_program(writer_command(self, bytes), {{pipe.write_end.get(), STDOUT_FILENO}}));
  const Child writer(writer_pid);
  TRY(const pid_t copier_pid,
      start_program(copier_command(self),
                    {{pipe.read_end.get(), STDIN_FILENO}, {listener.fd.get(), kFloorListenFd}}));
  const Child copier(copier_pid);
  pipe.write_end.reset();
  pipe.read_end.reset();
  TRY(Client reader, Client::connect(listener.port));
  uint64_t total = 0;
  while (true) {
    TRY(const auto piece, reader.read_some());
    if (piece.empty()) break;
    total += piece.size();
  }
  if (total != bytes) return base::fail("The copy loop has lost bytes");
  return static_cast<double>(bytes) / milliseconds_since(start) * 1e3;
}

}  // namespace bench
