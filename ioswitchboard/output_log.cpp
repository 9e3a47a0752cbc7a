#include "ioswitchboard/output_log.h"

#include <algorithm>

#include "base/combine.h"

namespace ioswitchboard {

namespace {

// Chunks below this size are sent together.
constexpr size_t kSmall = 16 * 1024;

base::Task<void> wait_for(base::Event& event) { co_await event.wait(); }

}  // namespace

void OutputLog::append(OutputRecord record) {
  if (unread()) return;
  const size_t cost = record.cost();
  entries_.push_back({std::move(record), cost_});
  cost_ += cost;
  activity_.set();
  wake_readers();
}

void OutputLog::finish() {
  finished_ = true;
  wake_readers();
}

void OutputLog::wake_readers() {
  for (OutputReader* reader : readers_) reader->changed_.set();
}

uint64_t OutputLog::backlog(const OutputReader& reader) const {
  const auto index = static_cast<size_t>(reader.next_ - first_);
  return index == entries_.size() ? 0 : cost_ - entries_[index].start;
}

bool OutputLog::full() const {
  return std::any_of(readers_.begin(), readers_.end(), [this](const OutputReader* reader) {
    return backlog(*reader) >= limits_.backlog;
  });
}

void OutputLog::trim() {
  uint64_t needed = first_ + entries_.size();
  for (const OutputReader* reader : readers_) needed = std::min(needed, reader->next_);
  for (; first_ < needed; ++first_) entries_.pop_front();
}

// Of a full log: whether that hurts anybody.
bool OutputLog::reader_in_the_way() const {
  if (!limits_.sole_reader_may_pause) return true;
  return std::any_of(readers_.begin(), readers_.end(),
                     [](const OutputReader* reader) { return !reader->pending(); });
}

OutputLog::Clock::time_point OutputLog::cut_stalled(Clock::time_point since, bool all) {
  const Clock::time_point now = Clock::now();
  Clock::time_point next = now + limits_.stall_timeout;
  for (OutputReader* reader : readers_) {
    if (!all && backlog(*reader) < limits_.backlog) continue;
    const Clock::time_point deadline = std::max(since, reader->last_taken_) + limits_.stall_timeout;
    if (deadline <= now) {
      reader->cut_off_.set();
    } else {
      next = std::min(next, deadline);
    }
  }
  return next;
}

base::Task<void> OutputLog::progress_until(Clock::time_point deadline) {
  progress_.clear();
  co_await base::any_of(wait_for(progress_), base::sleep_task(deadline - Clock::now()));
}

base::Task<void> OutputLog::room() {
  while (full()) {
    if (!reader_in_the_way()) {
      in_the_way_since_.reset();
      progress_.clear();
      co_await progress_.wait();
      continue;
    }
    if (!in_the_way_since_) in_the_way_since_ = Clock::now();
    co_await progress_until(cut_stalled(*in_the_way_since_, false));
  }
  in_the_way_since_.reset();
}

base::Task<void> OutputLog::drained() {
  const Clock::time_point since = Clock::now();
  while (!readers_.empty()) co_await progress_until(cut_stalled(since, true));
}

OutputReader::OutputReader(OutputLog& log, Encoding encoding, std::deque<OutputRecord> first)
    : log_(log),
      encoding_(encoding),
      first_(std::move(first)),
      next_(log.first_ + log.entries_.size()) {
  log_.readers_.push_back(this);
  log_.first_reader_.set();
  log_.progress_.set();
}

OutputReader::~OutputReader() {
  std::erase(log_.readers_, this);
  log_.trim();
  log_.progress_.set();
  log_.activity_.set();
  log_.activity_.set();
}

OutputRecord& OutputReader::record(size_t index) {
  if (index < first_.size()) return first_[index];
  return log_.entries_[static_cast<size_t>(next_ - log_.first_) + index - first_.size()].record;
}

std::string_view OutputReader::next() {
  const size_t count = available();
  if (count == 0) {
    joined_ = std::string();  // what is idle for hours needs no memory
    return {};
  }
  given_ = 1;
  const std::string_view frame = record(0).frame(encoding_);
  if (count == 1 || frame.size() >= kSmall) return frame;
  joined_ = frame;
  for (; given_ < count; ++given_) {
    const std::string_view more = record(given_).frame(encoding_);
    if (joined_.size() + more.size() > kSmall) break;
    joined_ += more;
  }
  return joined_;
}

void OutputReader::taken() {
  for (; given_ > 0 && !first_.empty(); --given_) first_.pop_front();
  next_ += given_;
  given_ = 0;
  last_taken_ = OutputLog::Clock::now();
  log_.trim();
  log_.progress_.set();
  log_.activity_.set();
}

}  // namespace ioswitchboard
