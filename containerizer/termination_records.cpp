#include "containerizer/termination_records.h"

#include <sys/stat.h>

#include <algorithm>

#include "base/files.h"
#include "containerizer/checkpoint.h"

namespace containerizer {

using Clock = std::chrono::steady_clock;
using WallClock = std::chrono::system_clock;

std::optional<isolators::ContainerTermination> TerminationRecords::find(
    const ContainerId& id) const {
  isolators::ContainerTermination termination;
  if (read_checkpoint(paths_.file(id, kTerminationFile), &termination)) return termination;
  const auto kept = unwritten_.find(id);
  if (kept == unwritten_.end()) return std::nullopt;
  return kept->second;
}

void TerminationRecords::keep(const ContainerId& id,
                              const isolators::ContainerTermination& termination) {
  if (!base::path_exists(paths_.file(id, kTerminationFile))) unwritten_[id] = termination;
}

void TerminationRecords::forget(const ContainerId& id) {
  if (unwritten_.empty()) return;
  std::erase_if(unwritten_, [&](const auto& entry) {
    return entry.first == id || id.is_ancestor_of(entry.first);
  });
}

void TerminationRecords::root_ended(const ContainerId& root, Clock::time_point ended) {
  const auto at = std::upper_bound(ended_.begin(), ended_.end(), ended,
                                   [](auto when, const Ended& entry) { return when < entry.when; });
  ended_.insert(at, Ended{root, ended});
}

void TerminationRecords::recover_root(const ContainerId& root) {
  struct stat info{};
  if (stat(paths_.file(root, kTerminationFile).c_str(), &info) < 0) return;
  // A clock that was set back makes no record younger than it can be.
  const auto age = WallClock::now() - WallClock::from_time_t(info.st_mtime);
  root_ended(root, Clock::now() - std::max<WallClock::duration>(age, WallClock::duration::zero()));
}

bool TerminationRecords::knows_root(const ContainerId& root) const {
  return base::path_exists(paths_.file(root, kTerminationFile)) || unwritten_.contains(root);
}

void TerminationRecords::drop_root(const ContainerId& root) {
  std::erase_if(ended_, [&](const Ended& entry) { return entry.root == root; });
}

std::vector<ContainerId> TerminationRecords::take_expired() {
  std::vector<ContainerId> expired;
  const auto now = Clock::now();
  while (!ended_.empty() &&
         (ended_.size() > retention_count_ || now - ended_.front().when >= retention_)) {
    expired.push_back(ended_.front().root);
    ended_.pop_front();
  }
  return expired;
}

std::optional<std::chrono::nanoseconds> TerminationRecords::next_expiry() const {
  if (ended_.empty()) return std::nullopt;
  // None is younger than it can be: nothing overflows.
  const std::chrono::nanoseconds age = std::max<std::chrono::nanoseconds>(
      std::chrono::nanoseconds(0), Clock::now() - ended_.front().when);
  return std::max(std::chrono::nanoseconds(0), retention_ - age);
}

}  // namespace containerizer
