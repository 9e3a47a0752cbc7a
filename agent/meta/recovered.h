// What the agent finds on disk when it starts: plain data, read by recover_meta().
#pragma once

#include <sys/types.h>

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/meta/paths.h"
#include "proto/mesos/internal/messages.pb.h"
#include "proto/mesos/v1/mesos.pb.h"

namespace agent {

struct RecoveredTask {
  mesos::v1::Task task;  // as it was launched: TASK_STAGING, without statuses
  std::string log;       // path of task.updates, be there one or not
  std::vector<mesos::internal::StatusUpdate> updates;  // in the order of their coming
  std::set<std::string> acknowledged;                  // uuids of updates, 16 bytes each
};

// The latest run of an executor.
struct RecoveredRun {
  std::string container;  // ContainerID.value
  // The executor had ended and all was acknowledged: of it nothing is left to do.
  bool completed = false;
  // None: not known to have been started, or of before a reboot.
  std::optional<pid_t> forked_pid;
  // How to reach the executor. Neither: it had not registered.
  std::optional<std::string> libprocess_pid;  // of a driver executor
  bool http = false;                          // never with libprocess_pid
  std::vector<RecoveredTask> tasks;
};

struct RecoveredExecutor {
  mesos::v1::ExecutorInfo info;
  bool generated_for_command_task = false;
  RecoveredRun run;
};

struct RecoveredFramework {
  mesos::v1::FrameworkInfo info;
  std::string pid;                           // "@0.0.0.0:0" of a scheduler that uses HTTP
  std::vector<RecoveredExecutor> executors;  // at least one; all resources are allocated
};

// The status updates of an operation on the agent's own resources.
struct RecoveredOperationStream {
  std::string uuid;  // as text, which is the directory's name
  std::string log;   // path of operation.updates
  std::vector<mesos::internal::UpdateOperationStatusMessage> updates;
  std::set<std::string> acknowledged;  // status uuids, 16 bytes each
};

// What <work_dir>/meta/resources holds. It belongs to the work_dir, so it is there without `info`
// too.
struct RecoveredResources {
  mesos::internal::ResourceState committed;
  // What was about to be committed. ResourceStore::recover() rolls it forward.
  std::optional<mesos::internal::ResourceState> target;
};

struct RecoveredAgent {
  // None: start as a new agent, and ask the master for an id. All below but `resources` is of this
  // agent. SlaveInfo's field `checkpoint` is among the unknown fields.
  std::optional<mesos::v1::AgentInfo> info;

  // The host was booted since: no process of then is left, whoever has its pid now.
  bool rebooted = false;

  std::vector<RecoveredFramework> frameworks;
  std::optional<mesos::v1::DrainConfig> drain;
  RecoveredResources resources;
  std::vector<RecoveredOperationStream> operation_streams;

  // Directories that hold nothing that is needed to go on, so they are to be garbage-collected:
  // runs but the latest, what has ended, what was never complete. None is below another.
  std::vector<std::string> garbage;

  // The directories of agents with other ids (of all agents, if there is no `info`). They may be
  // old, so their time of modification must be set to now before they are garbage-collected.
  std::vector<std::string> other_agents;

  // Files with a process's pid of before the reboot; finish_recovery() deletes them.
  std::vector<std::string> stale_pid_files;

  // Files that could not be read, as a whole or in part, and were passed over (not with `strict`).
  int errors = 0;
};

}  // namespace agent
