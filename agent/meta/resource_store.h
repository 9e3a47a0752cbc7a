// Reservations, volumes and operations as they are on disk, in <work_dir>/meta/resources.
#pragma once

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

  // Takes over what was committed, and commits what was about to be.
  base::Status recover(const RecoveredResources& recovered);

  // Resources must be of the kind that needs a checkpoint. Blocks, also for deleting volumes. After
  // an error the disk holds the old state or a target, and nothing else may be committed: the only
  // way to go on is a restart, which carries the target out.
  base::Status commit(const mesos::internal::ResourceState& target);

  const mesos::internal::ResourceState& committed() const { return committed_; }

 private:
  base::Status commit_anyhow(const mesos::internal::ResourceState& target, bool with_resources);

  const WorkPaths paths_;
  mesos::internal::ResourceState committed_;
};

}  // namespace agent
