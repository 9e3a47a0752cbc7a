#include "ioswitchboard/output_pump.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/event_loop.h"

namespace ioswitchboard {

namespace {

// Above this a record keeps the buffer that was read into; below, it gets one of its size.
constexpr size_t kLargeRead = kMaxData / 4;

// What a terminal, which does not tell, holds at most.
constexpr size_t kTerminalCapacity = 128 * 1024;

}  // namespace

OutputPump::Step OutputPump::step() {
  OutputBuffer buffer(kMaxData);
  const auto n = source_.stream->try_read({buffer.data(), kMaxData});
  // A read error ends the stream like its end: there is nothing else to be had.
  if (!n || *n == 0) return Step::kEnd;
  if (*n == base::Stream::kWouldBlock) return Step::kNothingNow;
  const auto size = static_cast<size_t>(*n);
  const std::string_view data(buffer.data(), size);
  moved_bytes_ += size;
  write_file(data);
  ring_.append(source_.type, data);
  if (log_.unread()) return Step::kMoved;
  log_.append(size >= kLargeRead ? OutputRecord(source_.type, std::move(buffer), size)
                                 : OutputRecord(source_.type, data));
  return Step::kMoved;
}

void OutputPump::write_file(std::string_view data) {
  while (!data.empty()) {
    const ssize_t n = ::write(source_.file, data.data(), data.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      // A full disk must not stop the program: its readers get everything, the file has a gap.
      if (lost_errno_ == 0) lost_errno_ = errno;
      lost_bytes_ += data.size();
      return;
    }
    data.remove_prefix(static_cast<size_t>(n));
  }
}

base::Task<void> OutputPump::run() {
  while (true) {
    co_await log_.room();
    const Step moved = step();
    if (moved == Step::kEnd && !source_.may_reopen) co_return;
    if (moved == Step::kMoved) {
      co_await base::next_turn();
    } else {
      co_await source_.stream->watch().readable();
    }
  }
}

void OutputPump::drain() {
  const int pipe_size = fcntl(source_.stream->fd(), F_GETPIPE_SZ);
  const uint64_t enough =
      moved_bytes_ + (pipe_size > 0 ? static_cast<size_t>(pipe_size) : kTerminalCapacity);
  while (moved_bytes_ < enough && step() == Step::kMoved) {
  }
}

}  // namespace ioswitchboard
