// Moves one stream of the container's output: into the sandbox's file, and to the readers.
#pragma once

#include <string>

#include "base/result.h"
#include "base/stream.h"
#include "base/task.h"
#include "ioswitchboard/output_log.h"
#include "ioswitchboard/replay_ring.h"

namespace ioswitchboard {

class OutputPump {
 public:
  struct Source {
    base::Stream* stream;  // a pipe, or the master of a terminal
    OutputType type;
    int file;         // open for appending
    bool may_reopen;  // a terminal: after its end, a process may open it again
  };

  // All must outlive the pump.
  OutputPump(Source source, OutputLog& log, ReplayRing& ring)
      : source_(source), log_(log), ring_(ring) {}

  // Moves until the end of the stream (for good, if the stream may be opened again), as fast as the
  // readers let it. No byte is lost when it is cancelled.
  base::Task<void> run();

  // Moves what can be read without waiting, whether the readers are ready for it or not; but not
  // more than a pipe holds.
  void drain();

  // What could not be written into the file: how many bytes, and the first error.
  uint64_t lost_bytes() const { return lost_bytes_; }
  int lost_errno() const { return lost_errno_; }

 private:
  enum class Step { kMoved, kNothingNow, kEnd };

  // Moves what one read gives.
  Step step();
  void write_file(std::string_view data);

  const Source source_;
  OutputLog& log_;
  ReplayRing& ring_;
  uint64_t moved_bytes_ = 0;
  uint64_t lost_bytes_ = 0;
  int lost_errno_ = 0;
};

}  // namespace ioswitchboard
