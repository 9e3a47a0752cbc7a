// How containers have ended. A record is the `termination` file in the container's runtime
// directory, or, if there was no room for it, in memory; those of a tree stay until its root is
// forgotten: removed by a client, or expired.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "base/result.h"
#include "containerizer/paths.h"
#include "isolators/isolator.h"

namespace containerizer {

class TerminationRecords {
 public:
  TerminationRecords(const RuntimePaths& paths, std::chrono::nanoseconds retention,
                     size_t retention_count)
      : paths_(paths), retention_(retention), retention_count_(retention_count) {}

  std::optional<isolators::ContainerTermination> find(const ContainerId& id) const;

  // Remembers the record if it could not be written. After a restart the container's status file
  // tells as much.
  void keep(const ContainerId& id, const isolators::ContainerTermination& termination);

  // The container is deleted, or its id is in use again.
  void forget(const ContainerId& id);

  // From now on the root's record ages; `ended` is when it ended. Wall-clock time would not do: a
  // host that learns the time of day after its start would forget everything at once.
  void root_ended(const ContainerId& root, std::chrono::steady_clock::time_point ended);

  // The same for a record of an earlier run of the agent, which is as old as its file.
  void recover_root(const ContainerId& root);

  // Whether the root has ended and is not yet forgotten.
  bool knows_root(const ContainerId& root) const;

  // The root's id is in use again, or it was removed by hand: it no longer ages.
  void drop_root(const ContainerId& root);

  // Roots that are too old or too many now, oldest first; they are dropped with this.
  std::vector<ContainerId> take_expired();

  // Until the next one may expire; nothing if there are none.
  std::optional<std::chrono::nanoseconds> next_expiry() const;

 private:
  struct Ended {
    ContainerId root;
    std::chrono::steady_clock::time_point when;
  };

  const RuntimePaths& paths_;
  const std::chrono::nanoseconds retention_;
  const size_t retention_count_;
  std::deque<Ended> ended_;  // oldest first
  std::map<ContainerId, isolators::ContainerTermination> unwritten_;
};

}  // namespace containerizer
