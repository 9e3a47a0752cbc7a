// The least that the echo of a keystroke can cost: TCP → terminal (or a pipe through cat) → TCP.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"
#include "base/result.h"
#include "bench/child.h"

namespace bench {

// What echoes: a terminal in its usual mode does so itself; a pipe has `cat` at its other end.
enum class EchoKind : uint8_t { kTerminal, kPipe };

// The floor's server: passes single bytes between the first connection on kFloorListenFd and what
// echoes.
int run_echo_server(EchoKind kind);

class EchoFloor {
 public:
  // `self` is the path of this program.
  static base::Result<EchoFloor> start(const std::string& self, EchoKind kind);

  // Sends one byte and waits for it to come back; milliseconds. A terminal takes at most 4,000 in
  // its life, because nobody reads its line.
  base::Result<double> send_key();

 private:
  EchoFloor(Child server, base::Fd connection)
      : server_(std::move(server)), connection_(std::move(connection)) {}

  Child server_;
  base::Fd connection_;
};

}  // namespace bench
