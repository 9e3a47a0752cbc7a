#include "ioswitchboard/replay_ring.h"

#include <algorithm>
#include <cstring>

namespace ioswitchboard {

void ReplayRing::append(OutputType type, std::string_view data) {
  if (capacity_ == 0 || data.empty()) return;
  if (data.size() > capacity_) data.remove_prefix(data.size() - capacity_);
  if (bytes_ == nullptr) bytes_ = std::make_unique_for_overwrite<char[]>(capacity_);
  if (size_ + data.size() > capacity_) drop(size_ + data.size() - capacity_);

  const size_t at = (begin_ + size_) % capacity_;
  const size_t before_wrap = std::min(data.size(), capacity_ - at);
  std::memcpy(bytes_.get() + at, data.data(), before_wrap);
  std::memcpy(bytes_.get(), data.data() + before_wrap, data.size() - before_wrap);
  size_ += data.size();
  if (runs_.empty() || runs_.back().type != type) runs_.push_back({type, 0});
  runs_.back().size += data.size();
}

void ReplayRing::drop(size_t size) {
  begin_ = (begin_ + size) % capacity_;
  size_ -= size;
  while (size > 0) {
    const size_t part = std::min(size, runs_.front().size);
    runs_.front().size -= part;
    size -= part;
    if (runs_.front().size == 0) runs_.pop_front();
  }
}

std::deque<OutputRecord> ReplayRing::records() const {
  std::deque<OutputRecord> records;
  size_t at = begin_;
  for (const Run& run : runs_) {
    for (size_t left = run.size; left > 0;) {
      const size_t part = std::min({left, kMaxData, capacity_ - at});
      records.emplace_back(run.type, std::string_view(bytes_.get() + at, part));
      at = (at + part) % capacity_;
      left -= part;
    }
  }
  return records;
}

}  // namespace ioswitchboard
