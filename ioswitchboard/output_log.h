// What the container has written and not all readers have taken yet. One log for all readers, each
// with a place in it: however many there are, a record is held once and encoded once, and all see
// the same records from their attach on.
//
// The slowest reader decides how long a record stays. A reader that is `backlog` behind fills the
// log, and while it is full nothing more is read from the container: backpressure reaches the
// program that writes. So that one reader cannot stop a container for good, one that takes nothing
// for the stall timeout is cut off; except that a session belongs to its reader, who alone may
// pause it for as long as it likes.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sync.h"
#include "base/task.h"
#include "ioswitchboard/output_record.h"

namespace ioswitchboard {

class OutputReader;

class OutputLog {
 public:
  struct Limits {
    // How far behind a reader may be, in bytes of memory.
    size_t backlog = 1 << 20;
    // How long a reader may take nothing while it is in the way.
    std::chrono::nanoseconds stall_timeout = std::chrono::seconds(30);
    // A reader is in the way only of other readers, not of the container.
    bool sole_reader_may_pause = false;
  };

  explicit OutputLog(Limits limits) : limits_(limits) {}
  OutputLog(const OutputLog&) = delete;
  OutputLog& operator=(const OutputLog&) = delete;

  // All readers have taken everything.
  bool empty() const { return entries_.empty(); }

  // Set whenever something comes or goes, for who clears it.
  base::Event& activity() { return activity_; }

  // Nobody reads: what would be appended now would be dropped.
  bool unread() const { return readers_.empty(); }

  // Set when the first reader attaches, and then for good.
  base::Event& first_reader() { return first_reader_; }

  void append(OutputRecord record);

  // Some reader is too far behind.
  bool full() const;

  // Waits until the log is not full, cutting off readers that stall.
  base::Task<void> room();

  // Nothing more will come.
  void finish();

  // After finish(): waits until all readers have detached, cutting off every one that stalls.
  base::Task<void> drained();

 private:
  friend OutputReader;
  using Clock = std::chrono::steady_clock;

  struct Entry {
    OutputRecord record;
    uint64_t start;  // what all records before it cost
  };

  bool reader_in_the_way() const;
  uint64_t backlog(const OutputReader& reader) const;
  void trim();
  void wake_readers();
  base::Task<void> progress_until(Clock::time_point deadline);
  // Cuts off the readers that have taken nothing for the stall timeout, counted from `since` at the
  // earliest: all such, or only those that are too far behind. Gives when to look again.
  Clock::time_point cut_stalled(Clock::time_point since, bool all);

  const Limits limits_;
  std::deque<Entry> entries_;
  uint64_t first_ = 0;  // the number of entries_.front(), counting from the very first
  uint64_t cost_ = 0;   // of all records ever
  std::vector<OutputReader*> readers_;
  base::Event first_reader_;
  base::Event activity_;
  base::Event progress_;  // a reader has taken something, attached or detached
  std::optional<Clock::time_point> in_the_way_since_;
  bool finished_ = false;
};

// A reader's place in the log: attached while it exists. The log must outlive it.
class OutputReader {
 public:
  // `first` is for this reader only, before everything else.
  OutputReader(OutputLog& log, Encoding encoding, std::deque<OutputRecord> first = {});
  OutputReader(const OutputReader&) = delete;
  OutputReader& operator=(const OutputReader&) = delete;
  ~OutputReader();

  // The chunks to send next, one at least and many if they are small; empty if there are none at
  // the moment. Valid until taken().
  std::string_view next();

  // What next() gave has been sent.
  void taken();

  // All was taken and nothing more will come.
  bool ended() const { return log_.finished_ && !pending(); }

  // Awaited, when next() gave nothing: until there is something, or the end of it.
  auto changed() {
    changed_.clear();
    return changed_.wait();
  }

  // Set when this reader has been cut off: close its connection without the last chunk.
  base::Event& cut_off() { return cut_off_; }

 private:
  friend OutputLog;

  bool pending() const { return !first_.empty() || next_ < log_.first_ + log_.entries_.size(); }
  size_t available() const {
    return first_.size() + static_cast<size_t>(log_.first_ + log_.entries_.size() - next_);
  }
  OutputRecord& record(size_t index);

  OutputLog& log_;
  const Encoding encoding_;
  std::deque<OutputRecord> first_;
  uint64_t next_;       // the number of the next record of the log
  size_t given_ = 0;    // records that next() gave out
  std::string joined_;  // small ones of them
  OutputLog::Clock::time_point last_taken_ = OutputLog::Clock::now();
  base::Event changed_;
  base::Event cut_off_;
};

}  // namespace ioswitchboard
