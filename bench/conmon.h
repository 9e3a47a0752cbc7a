// conmon with runc: what Podman and CRI-O hold a container's streams with, used for a session as
// they use it for an attached `exec`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.h"
#include "base/result.h"
#include "bench/child.h"
#include "bench/oci_runtime.h"
#include "bench/samples.h"

namespace bench {

class Conmon {
 public:
  // `program` is conmon's path; what it writes is below `directory`. `runtime` must outlive it, and
  // have its idle container running while sessions are started.
  Conmon(std::string program, const std::string& directory, const OciRuntime& runtime);

  // A process in the idle container, its output attached to before it starts.
  class Session {
   public:
    Clock::time_point started() const { return started_; }

    // Waits until `bytes` bytes of output have come in all.
    base::Status await_payload(uint64_t bytes);

    // Waits until conmon has exited, which it does after the process; sessions that are not waited
    // for are killed when destroyed.
    base::Status await_end();

    // One byte to the process's input, and waits for one of output; milliseconds.
    base::Result<double> send_key();

    uint64_t payload() const { return payload_; }

   private:
    friend class Conmon;
    base::Status read_packet();

    Clock::time_point started_;
    Child conmon_;
    base::Fd
        connection_;  // SOCK_SEQPACKET; each packet is a byte that names the stream, and output
    uint64_t payload_ = 0;
    bool ended_ = false;
  };

  // `name` is that of a directory for the session, which must not be in use.
  base::Result<Session> start(const std::string& name, const std::vector<std::string>& argv) const;

 private:
  std::string program_;
  std::string directory_;
  const OciRuntime& runtime_;
};

}  // namespace bench
