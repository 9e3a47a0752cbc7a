// Reservations, volumes and operations as they are on disk, in <work_dir>/meta/resources.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "agent/meta/paths.h"
#include "agent/meta/recovered.h"
#include "base/result.h"
#include "proto/mesos/internal/messages.pb.h"

namespace agent {

// They change by a commit: the target is written first, then the directories of volumes are made or
// deleted, then the target becomes what is committed. A crash at any point leaves the old state or
// a target, which recover() carries out: rolling back is not possible once data is deleted.
class ResourceStore {
 public:
  explicit ResourceStore(const std::string& work_dir) : paths_(work_dir) {}

  // Takes over what was committed, and commits what was about to be; but if that deletes volumes,
  // it is left under way, as after begin().
  base::Status recover(const RecoveredResources& recovered);

  // A commit, in three steps. Resources must be of the kind that needs a checkpoint. After an error
  // the disk holds the old state or a target, and nothing else may be committed: the only way to go
  // on is a restart, which carries the target out.
  //
  // Writes the target, if that is anything new. From then on it will be what is committed. No other
  // commit may be under way.
  base::Status begin(const mesos::internal::ResourceState& target);

  // What is to be done about the directories of volumes; empty if there is nothing to do. It owns
  // what it touches and may be called on any thread; if deletes_volumes(), it may take long. When
  // `stop` is requested it ends with an error: as after any, only a restart goes on then.
  std::function<base::Status()> volume_work(const std::stop_token& stop = {}) const;
  bool deletes_volumes() const;

  // When that is done: the target is what is committed.
  base::Status conclude();

  // All three. Blocks, also for deleting volumes.
  base::Status commit(const mesos::internal::ResourceState& target);

  const mesos::internal::ResourceState& committed() const { return committed_; }

  // Whether a commit is under way, and what will then be committed.
  bool is_changing() const { return change_.has_value(); }
  const mesos::internal::ResourceState& newest() const {
    return change_ ? change_->target : committed_;
  }

 private:
  // What is about to be committed.
  struct Change {
    mesos::internal::ResourceState target;
    bool with_resources = false;
  };

  base::Status begin_anyhow(const mesos::internal::ResourceState& target, bool with_resources);
  base::Status go_through();

  const WorkPaths paths_;
  mesos::internal::ResourceState committed_;
  std::optional<Change> change_;
};

}  // namespace agent
